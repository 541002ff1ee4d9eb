#!/bin/sh
# Adds up $1/tests/*.count ("passed failed skipped", one file per kind of test); its line is
# the last that `make check` prints.  Before it stands once more what $1/tests/*.failed say of
# failures, for whoever sees only the end of a long log.
set -u
pass=0 fail=0 skip=0 kinds=0
for f in "${1:-build}"/tests/unit.count "${1:-build}"/tests/cli.count; do
    if read -r p n s 2>/dev/null <"$f"; then
        pass=$((pass + p)) fail=$((fail + n)) skip=$((skip + s)) kinds=$((kinds + 1))
    else
        echo "no counts in $f: the tests did not run" >&2
        fail=$((fail + 1))
    fi
done
for f in "${1:-build}"/tests/unit.failed "${1:-build}"/tests/cli.failed; do
    [ ! -s "$f" ] || cat "$f"
done
echo "$pass passed, $fail failed, $skip skipped"
[ "$fail" -eq 0 ]
