# Every manual page is clean mdoc.
command -v mandoc >/dev/null || { echo "no mandoc: run 'make deps'"; exit 1; }
bad=0
for page in man/*.[157]; do
    [ -f "$page" ] || continue
    # References to pages that are not installed yet are no fault of the page.
    out=$(mandoc -T lint -W warning "$page" | grep -v 'referenced manual not found')
    [ -z "$out" ] || { echo "$out"; bad=1; }
done
exit $bad
