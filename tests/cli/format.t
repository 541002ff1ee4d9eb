# The example in cagsr-stream(5) is a stream, and says what the page says.
. "$KIT"
page=$SRC/man/cagsr-stream.5

sed -n '/^A whole stream/,/^\.Ed/p' "$page" | awk '
    BEGIN { hex = "0123456789abcdef" }
    {
        for (i = 1; i <= NF && $i ~ /^[0-9a-f][0-9a-f]$/; i++)
            printf "\\%03o", (index(hex, substr($i, 1, 1)) - 1) * 16 + index(hex, substr($i, 2, 1)) - 1
    }' >octal
printf "$(cat octal)" >example.rec
cagsr-cat --check -v example.rec 2>&1
cagsr-cat example.rec
