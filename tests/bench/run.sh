#!/bin/sh
# make bench: figures, not tests.  Each program prints its own lines; medians over turns,
# ours and the other in turns, so that a busy machine changes ratios little.
# BENCH_THREADS (default 1): with one, processor time is measured, not the clock.
set -eu
bench=${BUILD:-build}/bench/kern
threads=${BENCH_THREADS:-1}
export OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1

"$bench" -j "$threads"
"$bench" -j "$threads" openblas
"$bench" -j "$threads" free
