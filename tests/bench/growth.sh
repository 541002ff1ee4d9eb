#!/bin/sh
# How cost grows: growth.sh [context|rows|candidates|threads|model ...]  writes
# build/bench/growth.tsv (series, x, microseconds a token) and growth.svg.
#
#   context     x tokens stand before: one more token of one sequence; the prompt's pass,
#               a token of it; scoring and training, x tokens a sequence
#   rows        x sequences, a prompt each, step together: a token of one
#   candidates  the same of one prompt, of 64 tokens and of the half of the longest context
#   threads     x threads
#   model       x parameters, random weights
# A new token's cost is the difference between TOKENS + 1 new tokens and one, so that the
# prompt's pass is not in it.  The fastest of BENCH_TIMES repetitions (3).
#   GROWTH_CONTEXT, GROWTH_ROWS, GROWTH_THREADS: the x gone through
#   GROWTH_MODELS: those of 1M 10M 100M 1B (1B takes 4 GB of disk, 5 GB of memory)
# BENCH_MODEL, BENCH_THREADS: kit.sh.  The model must have a context of 2,048 and more, or
# GROWTH_CONTEXT be shorter.
set -eu
cd "$(dirname "$0")/../.."
BENCH_TIMES=${BENCH_TIMES:-3}
. tests/bench/kit.sh
TOKENS=96
contexts=${GROWTH_CONTEXT:-64 128 256 512 1024 2000}
counts=${GROWTH_ROWS:-1 2 4 8 16 32 64}

# Least seconds of a work, and its units: seconds units.
cost() {
    "$out/model" -m "$model" -j "$threads" -n "$times" "$@" | sort -n -k 3,3 |
        awk 'NR == 1 { print $3, $4 }'
}

row() { # series, x, seconds, units
    awk -v series="$1" -v x="$2" -v s="$3" -v n="$4" \
        'BEGIN { printf "%s\t%s\t%.3f\n", series, x, 1e6 * s / n }'
}

per_token() { # series, x, work and shape: all that it takes, over its tokens
    series=$1 x=$2
    shift 2
    set -- "$series" "$x" $(cost "$@")
    row "$@"
}

new_token() { # series, x, shape: the cost of a new token, the prompt's pass left out
    series=$1 x=$2
    shift 2
    one=$(cost -T 1 "$@" decode1)
    more=$(cost -T $((TOKENS + 1)) "$@" decode1)
    echo "$one $more" | awk -v series="$series" -v x="$x" \
        '{ printf "%s\t%s\t%.3f\n", series, x, 1e6 * ($3 - $1) / ($4 - $2) }'
}

context() {
    for x in $contexts; do
        new_token "decode, context" "$x" -P "$x"
        seconds=$(cost -P "$x" -T 1 decode1)
        row "prompt, context" "$x" "${seconds% *}" "$x"
        per_token "score, context" "$x" -G 1 -P $((x / 2)) -T $((x / 2)) score
        per_token "train, context" "$x" -G 1 -P $((x / 2)) -T $((x / 2)) train
    done
}

rows() {
    for x in $counts; do new_token "decode, rows" "$x" -P 64 -G "$x"; done
}

candidates() {
    long=$((${contexts##* } / 2))
    for x in $counts; do
        [ "$x" -le 32 ] || continue
        new_token "decode, candidates" "$x" -P 64 -N "$x"
        new_token "of $long tokens, candidates" "$x" -P $long -N "$x"
    done
}

threads() {
    for threads in ${GROWTH_THREADS:-1 2}; do
        for work in decode1 decode8 decode32 score train; do
            per_token "$work, threads" "$threads" "$work"
        done
    done
}

parameters() { # sizes as those of config()
    awk -v L="$1" -v C="$2" -v F="$3" -v H="$4" -v G="$5" -v V="$6" \
        'BEGIN { printf "%.0f", V * C + C + L * (2 * C + 2 * C * C * (1 + G / H) + 3 * C * F) }'
}

model() {
    for size in ${GROWTH_MODELS:-1M 10M 100M 1B}; do
        case $size in # layers, channels, MLP, heads, key/value heads, vocabulary
        1M) set -- 4 128 384 4 2 2048 ;;
        10M) set -- 8 288 768 6 3 8192 ;;
        100M) set -- 24 512 1536 8 4 49152 ;;
        1B) set -- 24 1792 5376 28 7 32768 ;;
        *) die "GROWTH_MODELS: 1M, 10M, 100M, 1B expected, not '$size'" ;;
        esac
        x=$(parameters "$@")
        random_model "random-$size" "$@"
        model=$out/random-$size
        new_token "decode1, parameters" "$x" -P 64
        new_token "decode8, parameters" "$x" -P 64 -N 8
        per_token "score, parameters" "$x" score
        [ "$size" = 1B ] || per_token "train, parameters" "$x" train
    done
}

[ $# -gt 0 ] || set -- context rows candidates threads model
printf 'series\tx\tmicroseconds\n' >"$out/growth.tsv"
own=$model own_threads=$threads
for what in "$@"; do
    model=$own threads=$own_threads
    case $what in
    context | rows | candidates | threads | model) "$what" | tee -a "$out/growth.tsv" ;;
    *) die "no growth '$what'" ;;
    esac
done
awk -f tests/bench/growth.awk "$out/growth.tsv" >"$out/growth.svg"
say "$out/growth.tsv, $out/growth.svg"
