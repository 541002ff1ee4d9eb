#!/bin/sh
# Runs shell tests:  tests/cli/run.sh [name ...], all of tests/cli/*.t without a name.
#
# x.t runs under `sh -eu` in a fresh directory of its own; what it prints to standard output
# must be x.t.out, byte for byte (nothing, where there is no such file), and it must end
# with 0.  Exit 77 is a skip; the last line it printed says why.  It finds
#     PATH        the programs under test in front
#     BUILD, SRC  the build folder and the source tree, both absolute
#     KIT         tests/cli/kit.sh, shell functions for `. "$KIT"`
# REGEN=1 writes x.t.out from what was printed.  The counts go to $BUILD/tests/cli.count as
# "passed failed skipped", what is known of failures to cli.failed, for tests/summary.sh.
set -u
SRC=$(cd "$(dirname "$0")/../.." && pwd)
BUILD=${BUILD:-build}
case $BUILD in /*) ;; *) BUILD=$SRC/$BUILD ;; esac
KIT=$SRC/tests/cli/kit.sh
PATH=$BUILD:$PATH
LC_ALL=C OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 MANWIDTH=80
export SRC BUILD KIT PATH LC_ALL OPENBLAS_NUM_THREADS OMP_NUM_THREADS MANWIDTH
unset CAGSR_THREADS CAGSR_MODEL_PATH || :
log=$BUILD/tests/log failed=$BUILD/tests/cli.failed
mkdir -p "$log"
: >"$failed"
top=$(mktemp -d "${TMPDIR:-/tmp}/cagsr-cli.XXXXXX") || exit 1
trap 'rm -rf "$top"' EXIT
trap 'exit 130' INT TERM

run_one() { # name -> ok, FAIL or skip in $result; details in the log
    t=$SRC/tests/cli/$1.t got=$log/$1.out errs=$log/$1.err want=$SRC/tests/cli/$1.t.out
    mkdir "$top/$1"
    (cd "$top/$1" && exec timeout "${CLI_TIMEOUT:-300}" sh -eu "$t") \
        >"$got" 2>"$errs" </dev/null
    rc=$?
    [ -f "$want" ] || want=/dev/null
    if [ $rc -eq 77 ]; then
        result=skip why=$(tail -n 1 "$got")
    elif [ $rc -ne 0 ]; then
        result=FAIL why="exit $rc"
    elif [ "${REGEN:-}" = 1 ]; then
        result=ok why=
        if [ -s "$got" ]; then cp "$got" "$t.out"; else rm -f "$t.out"; fi
    elif cmp -s "$want" "$got"; then
        result=ok why=
    else
        result=FAIL why="other output than expected"
    fi
    rm -rf "${top:?}/$1"
}

[ $# -gt 0 ] || set -- "$SRC"/tests/cli/*.t
pass=0 fail=0 skip=0
for arg in "$@"; do
    name=$(basename "$arg" .t)
    [ -f "$SRC/tests/cli/$name.t" ] || { echo "no test tests/cli/$name.t" >&2; exit 2; }
    run_one "$name"
    printf 'cli/%-32s %s%s\n' "$name" "$result" "${why:+: $why}"
    case $result in
    ok) pass=$((pass + 1)) ;;
    skip) skip=$((skip + 1)) ;;
    FAIL)
        fail=$((fail + 1))
        diff -u "$want" "$got" | head -n 60
        tail -n 20 "$errs"
        {
            echo "$why"
            diff -u "$want" "$got" | head -n 12
            tail -n 8 "$errs"
        } | sed "s|^|cli/$name: |" >>"$failed"
        ;;
    esac
done
echo "$pass $fail $skip" >"$BUILD/tests/cli.count"
[ "$fail" -eq 0 ]
