#!/bin/sh
# Runs Criterion programs one after another; each prints its own synthesis.  The counts go to
# $BUILD/tests/unit.count as "passed failed skipped", what failing ones print last to
# unit.failed, for tests/summary.sh.
# A program that dies without a synthesis is one failure.
set -u
pass=0 fail=0 bad=
log=${BUILD:-build}/tests/log failed=${BUILD:-build}/tests/unit.failed
mkdir -p "$log"
: >"$failed"
for t in "$@"; do
    name=$(basename "$(dirname "$t")")/$(basename "$t")
    out=$log/$(echo "$name" | tr / -).txt
    OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 "$t" --color=never -j1 >"$out" 2>&1
    rc=$?
    line=$(grep -a 'Synthesis:' "$out" | tail -n 1)
    p=$(echo "$line" | sed -n 's/.*Passing: *\([0-9]*\).*/\1/p')
    n=$(echo "$line" | sed -n 's/.*Tested: *\([0-9]*\).*/\1/p')
    if [ -z "$p" ] || [ -z "$n" ]; then
        p=0 n=1
    fi
    [ $rc -ne 0 ] && [ "$p" -eq "$n" ] && n=$((p + 1))
    pass=$((pass + p)) fail=$((fail + n - p))
    if [ "$p" -ne "$n" ]; then
        bad="$bad $name"
        sed "s|^|$name: |" "$out" | tail -n 40
        sed "s|^|$name: |" "$out" | tail -n 12 >>"$failed"
    fi
    printf '%-36s %s of %s\n' "$name" "$p" "$n"
done
echo "$pass $fail 0" >"${BUILD:-build}/tests/unit.count"
[ "$fail" -eq 0 ] || { echo "failed:$bad" >&2; exit 1; }
