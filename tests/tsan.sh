#!/bin/sh
# The tools under ThreadSanitizer: a small real pipeline with two threads, and no report.
# (Criterion cannot start under TSan.  The libraries below us are not instrumented, so they
# get one thread.)
set -u
cd "$(dirname "$0")/.." || exit 1
CC=${CC:-gcc}
BUILD=build/tsan-$(basename "$CC")
make -j"${JOBS:-$(nproc)}" CC="$CC" MODE=tsan all || exit 1

work=$(mktemp -d "${TMPDIR:-/tmp}/cagsr-tsan.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
TSAN_OPTIONS="exitcode=66 halt_on_error=0 log_path=$work/report"
OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1
export TSAN_OPTIONS OPENBLAS_NUM_THREADS OMP_NUM_THREADS
model=tests/golden/llama-tiny

# A tokenizer is not needed: prompts are ids, below any golden vocabulary's size, and bring
# their salient positions, for there is no text to find them in.
i=0
while [ $i -lt 6 ]; do
    echo "{\"id\":\"p$i\",\"prompt_ids\":[$((i + 3)),9,$((i + 11)),5,7,$((i + 20)),8],\"salient\":[{\"positions\":[3,4],\"idf\":2},{\"positions\":[5],\"idf\":1}]}"
    i=$((i + 1))
done >"$work/prompts.jsonl"

stage() { # name, command...
    name=$1
    shift
    "$@" 2>"$work/$name.err"
    rc=$?
    [ $rc -eq 0 ] || {
        echo "tsan: $name ended with $rc: $(head -n 5 "$work/$name.err")" >&2
        touch "$work/failed"
    }
}
stage sample "$BUILD/cagsr-sample" -m $model -j 2 -n 4 --max-tokens 12 --ignore-eos --seed 1 \
    "$work/prompts.jsonl" >"$work/s"
stage attn "$BUILD/cagsr-attn" -m $model -j 2 "$work/s" >"$work/a"
stage reward "$BUILD/cagsr-reward" "$work/a" >"$work/r"
stage update "$BUILD/cagsr-update" -m $model -j 2 --algo grpo --batch 3 -o "$work/out" "$work/r" \
    >"$work/u"
stage check "$BUILD/cagsr-cat" --check "$work/u"

for f in "$work"/report*; do
    [ -f "$f" ] || continue
    sed -n '1,60p' "$f" >&2
    touch "$work/failed"
done
[ ! -f "$work/failed" ] || { echo "tsan: failed" >&2; exit 1; }
echo "tsan: no report"
