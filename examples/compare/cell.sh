#!/bin/sh
# One cell of run.sh, which sets the environment:  cell.sh SEED/SYSTEM
#
# What a system is stands in systems/SYSTEM.sh, by variables and functions that have these
# defaults; $seed, $start (the model), $cell (its directory) and those of the settings are
# there.
#
#   algo        of cagsr-update
#   weights     of cagsr-reward
#   options     more options for it
#   words       what it counts, instead of the settings' $measures
#   scales      its option --scales, or nothing for a sum that has none
#   scorer      whose attention: start, or own, the policy's as it moves
#   attn        more options for cagsr-attn
#   update      more options for cagsr-update
#   work        a function: what a cell does, if that is not training and evaluation
#   prepare     a function that runs once before; not 0: the cell is left out, and why was said
#   judge       a function that prints what stands between cagsr-attn and cagsr-reward
set -eu
seed=${1%%/*} system=${1#*/}
cell=$out/$1 base=$out/$seed/start
start=$(printf "$model" "$seed")
. "$settings"
algo=grpo weights='' options='' words=$measures scales="-s $base/scales" scorer='' attn='' update=''
prepare() { :; }
judge() { :; }
rewarder() # the words of the reward stage
{
    printf 'cagsr-reward -q %s %s %s' "$words" "$scales" "$options"
    printf ' -w %s --seed %s' "${weights:-$default_weights}" "$seed"
}

say() { printf '%s\n' "$*" >&2; }
die()
{
    say "compare: $*"
    exit 1
}

# ---- evaluation: never with what the system is trained by --------------------------------
# Held-out prompts answered by a model, with attention and log-probabilities of the start and
# the default reward: $cell/STEP.DECODING.rec.
answers() # MODEL STEP DECODING TEMPERATURE ANSWERS
{
    rec=$cell/$2.$3.rec
    [ -e "$rec" ] || {
        cagsr-sample -q -m "$1" $sample -n "$5" -t "$4" --seed $((7000 + seed)) "$out/eval.jsonl" |
            cagsr-attn -q -m "$start" |
            cagsr-reward -q $measures -s "$base/scales" -w "$default_weights" >"$rec.new"
        cagsr-cat --check "$rec.new" 2>"$cell/check.log" || { cat "$cell/check.log" >&2; exit 1; }
        mv "$rec.new" "$rec"
    }
}

# Rows of results.tsv from what an evaluation leaves.
measured() # STEP DECODING STREAM KL
{
    evaluate "$3" >"$cell/numbers"
    [ -s "$cell/numbers" ] || die "$3: nothing was measured"
    awk -F '\t' -v OFS='\t' -v seed="$seed" -v who="$system" -v step="$1" -v decoding="$2" \
        -v kl="${4:-}" '
        kl == "" && $1 == "kl" { kl = $2 }
        { row[NR] = $1 OFS $2 OFS $3 OFS $4 }
        END { for (i = 1; i <= NR; i++) print seed, who, step, kl, decoding, row[i] }' "$cell/numbers"
}

evaluation() # MODEL STEP
{
    answers "$1" "$2" t1 1 "$eval_n"
    answers "$1" "$2" greedy 0.1 1
    if [ "$system" = start ]; then answers "$1" "$2" t0.7 0.7 "$eval_n"; fi
    measured "$2" t1 "$cell/$2.t1.rec"
    moved=$(awk -F '\t' '$1 == "kl" { print $2 }' "$cell/numbers")
    for decoding in greedy t0.7; do
        rec=$cell/$2.$decoding.rec
        [ ! -e "$rec" ] || measured "$2" "$decoding" "$rec" "$moved"
    done
}

# ---- training ----------------------------------------------------------------------------
# The reward of a step: what judge prints, then cagsr-reward.
reward_stage()
{
    before=$(judge)
    printf '%s%s' "${before:+$before | }" "$(rewarder)"
}

train() # STEPS
{
    cagsr-loop -q -m "$start" -o "$cell/run" -n "$n" --steps "$1" --batch "$batch" \
        --algo "$algo" --lr "$lr" --kl "$kl" --seed "$seed" ${scorer:+--scorer "$scorer"} --attn "$attn" \
        --sample "$sample" --reward "$(reward_stage)" --update "--kl-stop 0 $update" \
        --calibrate 0 --keep 1 --no-samples "$out/train.jsonl"
}

# ---- reward models -----------------------------------------------------------------------
table() # TEMPERATURE SEED: prompt_ids and ids of answers to training prompts
{
    head -n "$calibrate" "$out/train.jsonl" |
        cagsr-sample -q -m "$start" $sample -n "$n" -t "$1" --seed "$2" |
        cagsr-cat -k sample -t -F prompt_ids,ids
}

synthetic()
{
    cagsr-cat -k sample -t -F prompt_ids,ids "$base/first.rec" >"$cell/answers"
    table 0.7 $((seed + 1000)) >"$cell/cool"
    table 1.5 $((seed + 2000)) >"$cell/hot"
    awk -f "$here/synthetic-pairs.awk" -v n="$pairs" -v seed="$seed" "$cell/answers" "$cell/cool" "$cell/hot"
}

# 1/s of a component of `rewards`, s its deviation inside a group, as --calibrate takes it; 0 where
# all candidates of each group have the same.
per_deviation() # NAME
{
    cagsr-cat -k sample -t -F "id,rewards.$1" | awk -F '\t' '
        NR > 1 { n[$1]++; sum[$1] += $2; squares[$1] += $2 * $2 }
        END {
            for (id in n) {
                v = squares[id] / n[id] - (sum[id] / n[id]) ^ 2
                all += v > 0 ? sqrt(v * n[id] / (n[id] - 1)) : 0
                groups++
            }
            printf "%.6g\n", (all > 0 ? groups / all : 0)
        }'
}

# $cell/rm, of the pairs that a function prints.  Every tenth is held out: the share of those
# that it puts in order stands in $cell/rm.accuracy; and in rm.weight what makes its scores of
# the start's answers deviate by 1, so that the KL coefficient keeps its meaning.
reward_model() # FUNCTION [WORDS]
{
    [ ! -e "$cell/rm.accuracy" ] || return 0
    "$@" >"$cell/pairs.jsonl" || return 1
    awk 'NR % 10' "$cell/pairs.jsonl" >"$cell/pairs.train"
    awk 'NR % 10 == 0' "$cell/pairs.jsonl" >"$cell/pairs.held"
    rm -rf "$cell/rm"
    cagsr-update -q -m "$start" --algo rm --lr "$rm_lr" --epochs "$rm_epochs" --seed "$seed" \
        --batch 16 -o "$cell/rm" "$cell/pairs.train" >"$cell/rm.metrics"
    # A step without a learning rate says how the held-out pairs are ordered.
    rm -rf "$cell/rm.held"
    cagsr-update -q --algo rm --resume "$cell/rm" --new-data --lr 0 --batch 100000 --epochs 1 \
        --seed "$seed" -o "$cell/rm.held" "$cell/pairs.held" | cagsr-cat -k metric -t -F accuracy |
        tail -n 1 >"$cell/rm.accuracy.new"
    rm -rf "$cell/rm.held"
    cagsr-attn -q -m "$cell/rm" --score judge "$base/first.rec" | per_deviation judge >"$cell/rm.weight"
    [ "$(cat "$cell/rm.weight")" != 0 ] || die "$system: the reward model tells no answers apart"
    [ -s "$cell/rm.accuracy.new" ] || die "$system: the reward model could not be measured"
    mv "$cell/rm.accuracy.new" "$cell/rm.accuracy"
    say "$system: the reward model orders $(cat "$cell/rm.accuracy") of the held-out pairs"
}

# ---- what a cell does --------------------------------------------------------------------
# Scales of the default reward, from answers of the starting model; its own evaluation.
begin()
{
    [ -e "$cell/scales" ] || {
        head -n "$calibrate" "$out/train.jsonl" |
            cagsr-sample -q -m "$start" $sample -n "$n" -t 1 --seed "$seed" |
            cagsr-attn -q -m "$start" >"$cell/first.rec"
        cagsr-reward -q $measures --calibrate "$cell/scales.new" "$cell/first.rec" >/dev/null
        mv "$cell/scales.new" "$cell/scales"
    }
    evaluation "$start" 0
}

# The default weights without those that are named.
without() # NAME...
{
    echo "$default_weights" | tr ',' '\n' | awk -F = -v names="$*" '
        BEGIN { n = split(names, name, " "); for (i = 1; i <= n; i++) left_out[name[i]] }
        !($1 in left_out) { printf "%s%s", comma, $0; comma = "," }'
}

# Scales of their own for systems that attend or count otherwise: $cell/scales.
calibrate()
{
    scales="-s $cell/scales"
    [ ! -e "$cell/scales" ] || return 0
    cagsr-attn -q -m "$start" $attn "$base/first.rec" |
        cagsr-reward -q $words --calibrate "$cell/scales.new" >/dev/null
    mv "$cell/scales.new" "$cell/scales" || die "$system: no scales"
}

# Systems that are told less of which words count than the settings tell: where these tell
# nothing, there is nothing to leave out.
told_nothing()
{
    [ "$all_words" != "$measures" ] || { say "$system: left out: all words count anyway"; return 1; }
}

work()
{
    for step in $eval_steps; do
        train "$step"
        evaluation "$cell/run/current" "$step"
    done
    rm -rf "$cell/run/current" "$cell/run"/step-*/model
}

if [ "$system" = start ]; then
    work() { begin; }
else
    . "$here/systems/$system.sh"
fi
mkdir -p "$cell"
if prepare; then work >"$cell/rows.new"; else : >"$cell/rows.new"; fi
mv "$cell/rows.new" "$cell/rows.tsv"
: >"$cell/done"
say "$1: done"
