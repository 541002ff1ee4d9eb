#!/bin/sh
# How the small model that is shipped was made:  recipe.sh SEED DIR [reworded]
#
# 1. Right answers to single questions, until the running loss is below .03 nats a token:
#    it can read.
# 2. Right answers to questions behind other questions, until it is below .02: it looks up
#    what is asked wherever that stands.
# 3. 1500 smaller steps on deliberately wrong answers (world.awk): it has learnt to answer
#    about the last fact, whoever is asked about.  That is what the demo repairs, without
#    ever being told what is right.
#
# With `reworded` it answers in words of its own, none of which the prompt has.
#
# The same seed gives the same bytes.  STEPS cuts all stages short (for the test).
set -eu
seed=$1
out=$2
here=$(dirname "$0")
reworded=${3:+1}
threads=${THREADS:-2}

world() { awk -f "$here/world.awk" -v reworded="$reworded" "$@"; }

# A step takes TEXTS texts of three questions each.
train() # NAME FROM LESSONS SEED LR TEXTS STEPS, and more options
{
    name=$1
    from=$2
    lessons=$3
    data=$4
    lr=$5
    texts=$6
    steps=${STEPS:-$7}
    shift 7
    world -v n=$((texts * steps)) -v seed="$data" -v what=$lessons |
        cagsr-update -q -j "$threads" -m "$out/$from" --algo sft --lr "$lr" \
            --batch $((3 * texts)) --steps "$steps" --seed "$seed" -o "$out/$name" "$@" |
        cagsr-cat -p -k metric > "$out/$name.jsonl"
}

form=$out/form
mkdir -p "$form"
cp "$here/tokenizer_config.json" "$form"
world -v what=tokenizer >"$form/tokenizer.json"
sed 's/\("vocab_size": \)[0-9]*/\1'"$(world -v what=vocab | wc -l)/" "$here/config.json" >"$form/config.json"
cagsr-init --seed "$seed" -o "$out/random" "$form/config.json"
train single random right "$seed" 2e-3 64 3000 --loss-stop .03
train reading single 'right -v chain=1' $((seed + 500)) 1e-3 64 1000 --loss-stop .02
train model reading 'wrong -v chain=1' $((seed + 1000)) 1e-3 24 1500 --schedule cosine \
    --lr-floor .1
