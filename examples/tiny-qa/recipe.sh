#!/bin/sh
# How the small model that is shipped was made:  recipe.sh SEED DIR
#
# 1. Right answers, until the running loss is below .03 nats: it can read.
# 2. 200 steps at .3 of the learning rate on deliberately wrong ones (world.awk): it has
#    learnt to answer about the last fact, whoever is asked about.  That is what the demo
#    repairs, without ever being told what is right.
#
# The same seed gives the same bytes.  STEPS cuts both stages short (for the test).
set -eu
seed=$1
out=$2
here=$(dirname "$0")
threads=${THREADS:-2}
right=${STEPS:-3000}
wrong=${STEPS:-200}

lessons() # WHAT TEXTS SEED
{
    awk -f "$here/world.awk" -v what="$1" -v n="$2" -v seed="$3"
}

train() # FROM TO LR STEPS, and more options
{
    from=$1
    to=$2
    lr=$3
    steps=$4
    shift 4
    cagsr-update -q -j "$threads" -m "$from" --algo sft --lr "$lr" --batch 192 \
        --steps "$steps" --seed "$seed" -o "$to" "$@"
}

mkdir -p "$out"
cagsr-init --seed "$seed" -o "$out/0" "$here/config.json"
# 64 texts of three questions make a step.
lessons right $((64 * right)) "$seed" | train "$out/0" "$out/1" 2e-3 "$right" \
    --loss-stop .03 | cagsr-cat > "$out/right.jsonl"
lessons wrong $((64 * wrong)) $((seed + 1000)) | train "$out/1" "$out/model" 6e-4 "$wrong" |
    cagsr-cat > "$out/wrong.jsonl"
