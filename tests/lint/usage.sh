# Every program has a manual page whose SYNOPSIS is the first line of its --help, that
# documents every option --help lists and no long option that --help does not list.
bad=0
fault() {
    echo "$*"
    bad=1
}

# A page's section as plain words.
section() { # page, title
    mandoc -T ascii -O width=500 "$1" | col -b | awk -v title="$2" '
        /^[A-Z]/ { on = $0 == title; next }
        on { print }' | tr -s ' \n' '  ' | sed 's/^ //; s/ $//'
}

options() { grep -oE -- '--[a-z][a-z0-9-]+' | sort -u; }

check_tool() { # name
    page=man/$1.1
    if [ ! -f "$page" ]; then
        fault "tools/$1: there is no $page"
        return
    fi
    if ! help=$("$BUILD/$1" --help); then
        fault "$1: --help does not end with 0"
        return
    fi
    want=$(echo "$help" | awk '/^$/ { exit } { print }' | tr -s ' \n' '  ' |
        sed 's/^usage: //; s/ $//')
    have=$(section "$page" SYNOPSIS)
    [ "$want" = "$have" ] || fault "$page: SYNOPSIS is not --help's
    page:   $have
    --help: $want"
    text=$(mandoc -T ascii -O width=500 "$page" | col -b)
    for o in $(echo "$help" | grep -E '^ ' | grep -oE '^ *(-[a-zA-Z0-9], )?--[a-z][a-z0-9-]+|^ *-[a-zA-Z0-9]\>' |
        grep -oE -- '--?[a-zA-Z0-9][a-z0-9-]*'); do
        echo "$text" | grep -qE -- "(^|[^a-zA-Z0-9-])$o([^a-zA-Z0-9-]|\$)" ||
            fault "$page: $o of --help is not documented"
    done
    # Long options at the begin of a list item belong to this tool.
    for o in $(echo "$text" | grep -E '^ +(-[a-zA-Z0-9],? )?[^ ]*--[a-z]' |
        grep -oE '^ +(-[a-zA-Z0-9][^-]*)?--[a-z][a-z0-9-]+' | options); do
        echo "$help" | grep -qE -- "$o([^a-z0-9-]|\$)" ||
            fault "$page: $o is documented, --help does not know it"
    done
}

for source in tools/cagsr-*.c tools/cagsr-*.sh; do
    [ -f "$source" ] || continue
    name=$(basename "$source")
    name=${name%.*}
    if [ -x "$BUILD/$name" ]; then
        check_tool "$name"
    else
        fault "$BUILD/$name: not built, run 'make'"
    fi
done
exit $bad
