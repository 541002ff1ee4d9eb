#!/bin/sh
# cagsr-loop: the pipeline, step after step, until the prompts have taught what they can.
#
#     sample | attn | reward | update
#
# POSIX sh.  It needs no pipefail: a stage that dies leaves its stream without an end,
# and every later stage fails on that.
#
# State, all below DIR:
#     settings            what the run was begun with
#     step-000000/        the start: scales of the reward, first evaluation
#     step-000012/        one step: model/, samples, metrics.jsonl, row.tsv, eval.tsv
#     step-000013.tmp*/   the step under way; thrown away when a run is taken up again
#     current             link to the newest model
#     metrics.tsv         a row per step; eval.tsv a row per evaluation
# A step directory appears by rename when all in it is there, so whatever kills the run,
# the next one goes on behind the last whole step, and ends with the same bytes.

set -u
name=cagsr-loop
version=0.1.0
synopsis='[-m model] [-n candidates] [--steps steps] [--batch prompts] [options] -o dir prompts'

usage()
{
    cat <<EOF
usage: $name $synopsis

Fine-tunes a model: sample, attention, reward and update, step after step; resumable.

  -m, --model MODEL         the model to start from (default: the one that is shipped)
  -o, --output DIR          where the run lives; if it is there already, it goes on
  -n N                      candidates per prompt (default 8)
      --steps N             updates in all (default 20)
      --batch PROMPTS       prompts per update (default 4)
      --algo NAME           of cagsr-update (default grpo)
      --lr RATE             of cagsr-update (default 1e-5)
      --kl BETA             of cagsr-update (default 0.05)
      --scorer MODEL        whose attention is measured (default: the starting model;
                            'own': the policy's)
      --sample OPTIONS      more words for cagsr-sample, as '--max-tokens 48 -t 0.9'
      --attn OPTIONS        ... for cagsr-attn, as '--layers upper'
      --reward-options OPTIONS  ... for cagsr-reward, as '--salient sentence'
      --update OPTIONS      ... for cagsr-update
      --reward COMMAND      takes the place of cagsr-reward: records in, records out
      --calibrate PROMPTS   measure the reward's scales on so many prompts first
                            (default 100; 0: the built-in scales)
      --eval FILE           prompts to evaluate on, never trained on
      --eval-every N        ... before the first step and after every Nth (default 10)
      --eval-with COMMAND   what is computed: scored records in, 'name=value ...' or
                            the table of cagsr-eval -F tsv out
      --keep N              models of so many last steps are kept (default 2; 0: all)
      --tensorboard DIR     an event file of every number of updates and evaluations
      --no-samples          do not keep each step's records
      --pipe                one pipe for the whole run: tools start once, not per step
  -j, --threads N           threads of each tool (default: all processors)
      --seed N              (default 0)
      --dry-run             print the first step's pipeline and stop
  -q, --quiet               no line per step
  -h, --help                this text
      --version             print the version

The manual page $name(1) has the details and examples.
EOF
}

die() # STATUS SENTENCE
{
    status=$1
    shift
    printf '%s: %s\n' "$name" "$*" >&2
    exit "$status"
}

# ---- the command line --------------------------------------------------------------------

model='' out='' cands=8 steps=20 batch=4 algo=grpo lr=1e-5 kl=0.05 scorer=''
sample_opts='' attn_opts='' reward_opts='' update_opts='' reward='' calibrate=100
eval_file='' eval_every=10 eval_with='' keep=2 samples=1 onepipe=0 threads='' seed=0 dry=0
quiet=0 prompts='' part=tmp board=''

parse()
{
    while [ $# -gt 0 ]; do
        case $1 in
        --?*=*) # --name=value is --name value
            word=$1
            shift
            set -- "${word%%=*}" "${word#*=}" "$@"
            ;;
        esac
        case $1 in
        -m | -o | -n | -j | --[a-z]*)
            case $1 in
            --pipe | --no-samples | --dry-run | --quiet | --help | --version) ;;
            *) [ $# -gt 1 ] || die 2 "$1 needs a value" ;;
            esac
            ;;
        esac
        case $1 in
        -m | --model) model=$2 ;;
        -o | --output) out=$2 ;;
        -n) cands=$(count "$1" "$2") || exit 2 ;;
        --steps) steps=$(count "$1" "$2") || exit 2 ;;
        --batch) batch=$(count "$1" "$2") || exit 2 ;;
        --algo) algo=$2 ;;
        --lr) lr=$2 ;;
        --kl) kl=$2 ;;
        --scorer) scorer=$2 ;;
        --sample) sample_opts=$2 ;;
        --attn) attn_opts=$2 ;;
        --reward-options) reward_opts=$2 ;;
        --update) update_opts=$2 ;;
        --reward) reward=$2 ;;
        --calibrate) calibrate=$(count "$1" "$2") || exit 2 ;;
        --eval) eval_file=$2 ;;
        --eval-every) eval_every=$(count "$1" "$2") || exit 2 ;;
        --eval-with) eval_with=$2 ;;
        --tensorboard) board=$2 ;;
        --keep) keep=$(count "$1" "$2") || exit 2 ;;
        -j | --threads) threads=$(count "$1" "$2") || exit 2 ;;
        --seed) seed=$(count "$1" "$2") || exit 2 ;;
        --no-samples) samples=0; shift; continue ;;
        --pipe) onepipe=1; shift; continue ;;
        --dry-run) dry=1; shift; continue ;;
        -q | --quiet) quiet=1; shift; continue ;;
        -h | --help) usage; exit 0 ;;
        --version) echo "$name $version"; exit 0 ;;
        --) shift; break ;;
        -?*) die 2 "unknown option '$1'; see $name --help" ;;
        *)
            [ -z "$prompts" ] || die 2 "more than one file of prompts: '$prompts', '$1'"
            prompts=$1
            shift
            continue
            ;;
        esac
        shift 2
    done
    [ $# -eq 0 ] || prompts=$1
    [ -n "$out" ] || die 2 "-o DIR is missing: where the run lives"
    [ -n "$prompts" ] || die 2 'a file of prompts is missing'
    [ -r "$prompts" ] || die 3 "$prompts: cannot be read"
    [ -z "$eval_file" ] || [ -r "$eval_file" ] || die 3 "$eval_file: cannot be read"
    if [ "$cands" -eq 0 ] || [ "$batch" -eq 0 ] || [ "$eval_every" -eq 0 ]; then
        die 2 '-n, --batch and --eval-every must be at least 1'
    fi
    [ "$onepipe$scorer" != 1own ] ||
        die 2 '--scorer own does not go with --pipe: cagsr-attn follows no policy'
}

# A whole number below 10^9 that awk and the shell read alike, or exit 2.
count() # OPTION VALUE
{
    case $2 in
    '' | *[!0-9]* | 0?* | ??????????*) die 2 "$1: '$2' is no whole number below 10^9" ;;
    esac
    printf '%s' "$2"
}

# ---- helpers -----------------------------------------------------------------------------

# A word that the shell reads back as it is.
quote()
{
    case $1 in
    '' | *[!A-Za-z0-9_./:=@%+,-]*) printf "'%s'" "$(printf '%s' "$1" | sed "s/'/'\\\\''/g")" ;;
    *) printf '%s' "$1" ;;
    esac
}

step_dir() # K
{
    printf '%s/step-%06d' "$out" "$1"
}

# The lines of step K: each epoch is a shuffle of all prompts, a function of the seed and
# the epoch; what does not fill a step is left for other epochs.
step_prompts() # K
{
    awk -v k="$1" -v batch="$batch" -v seed="$seed" '
@include tools/cagsr-loop/prompts.awk
' "$prompts"
}

# The model that step K starts from.
policy_of() # K
{
    if [ "$1" -le 1 ]; then printf '%s' "$model"; else printf '%s/model' "$(step_dir $(($1 - 1)))"; fi
}

# ---- the pipeline, as text: what --dry-run prints is what runs ---------------------------

sample_stage() # MODEL SEED
{
    printf 'cagsr-sample%s%s -n %d --seed %s%s' "${1:+ -m $(quote "$1")}" \
        "${threads:+ -j $threads}" "$cands" "$2" "${sample_opts:+ $sample_opts}"
}

# Attention of MODEL, which also gives `ref`; of the policy as it moves only the attention, for
# `ref` is what coherence and the KL are measured by, and stays that of the start.
attn_stage() # MODEL
{
    if [ "$1" != "$(frozen)" ]; then
        printf 'cagsr-attn%s --no-attn |\n    ' "$(model_words "$(frozen)")"
        printf 'cagsr-attn%s --no-logp%s' "$(model_words "$1")" "${attn_opts:+ $attn_opts}"
    else
        printf 'cagsr-attn%s%s' "$(model_words "$1")" "${attn_opts:+ $attn_opts}"
    fi
}

model_words() # MODEL
{
    printf '%s' "${1:+ -m $(quote "$1")}${threads:+ -j $threads}"
}

# The model that stays as it is: what it says of different steps compares.
frozen()
{
    if [ -z "$scorer" ] || [ "$scorer" = own ]; then
        printf '%s' "$model"
    else
        printf '%s' "$scorer"
    fi
}

scorer_of() # POLICY
{
    if [ "$scorer" = own ]; then printf '%s' "$1"; else frozen; fi
}

reward_stage() # SCALES
{
    if [ -n "$reward" ]; then
        printf '{ %s; }' "$reward"
    else
        printf 'cagsr-reward%s%s%s' "$(explained)" "${1:+ --scales $(quote "$1")}" \
            "${reward_opts:+ $reward_opts}"
    fi
}

# Records that are kept say how their rewards came about: the weights, for cagsr-view.
explained()
{
    [ "$samples" -eq 0 ] || [ "$onepipe" -eq 1 ] || printf ' --explain=record'
}

update_stage() # K POLICY TO
{
    if [ "$1" -le 1 ]; then
        from=${2:+ -m $(quote "$2")}
    else # the state of the optimizer goes on, the samples are new
        from=" --resume $(quote "$2") --new-data"
    fi
    printf 'cagsr-update%s%s --algo %s --lr %s --kl %s --batch %d --seed %s%s -o %s' \
        "$from" "${threads:+ -j $threads}" "$algo" "$lr" "$kl" "$batch" "$seed" \
        "${update_opts:+ $update_opts}" "$(quote "$3")"
}

scales()
{
    [ -n "$reward" ] || [ "$calibrate" -eq 0 ] || printf '%s/scales' "$(step_dir 0)"
}

# Seeds differ from step to step, for a prompt comes again in every epoch.
step_seed() # K
{
    printf '%s' $((seed * 1000003 + $1))
}

step_pipeline() # K DIR
{
    policy=$(policy_of "$1")
    printf '%s %s |\n' "$(sample_stage "$policy" "$(step_seed "$1")")" "$(quote "$2/prompts")"
    printf '    %s |\n' "$(attn_stage "$(scorer_of "$policy")")"
    printf '    %s |\n' "$(reward_stage "$(scales)")"
    [ "$samples" -eq 0 ] || printf '    tee %s |\n' "$(quote "$2/samples")"
    printf '    %s |\n' "$(update_stage "$1" "$policy" "$2/model")"
    printf '    cagsr-cat -p -k metric > %s\n' "$(quote "$2/metrics.jsonl")"
}

calibration_pipeline() # DIR
{
    printf '%s %s |\n' "$(sample_stage "$model" "$(step_seed 0)")" "$(quote "$1/prompts")"
    printf '    %s |\n' "$(attn_stage "$(frozen)")"
    printf '    cagsr-reward%s --calibrate %s > %s\n' "${reward_opts:+ $reward_opts}" \
        "$(quote "$1/scales")" /dev/null
}

eval_pipeline() # MODEL DIR
{
    printf '%s %s |\n' "$(sample_stage "$1" "$(step_seed 0)")" "$(quote "$eval_file")"
    printf '    %s |\n' "$(attn_stage "$(frozen)")"
    printf '    %s > %s &&\n' "$(reward_stage "$(scales)")" "$(quote "$2/eval-samples")"
    printf '    { %s; } < %s > %s\n' "${eval_with:-measure $(quote "$2/eval-samples")}" \
        "$(quote "$2/eval-samples")" "$(quote "$2/eval")"
}

# The whole run as one pipe: the updated model goes back to the sampler by way of files.
pipe_pipeline()
{
    printf 'cagsr-sample --follow %s --lag 0%s -n %d --batch-prompts %d --seed %s%s %s |\n' \
        "$(quote "$out/policy")" "${threads:+ -j $threads}" "$cands" "$batch" \
        "$(step_seed 1)" "${sample_opts:+ $sample_opts}" "$(quote "$out/prompts")"
    printf '    %s |\n' "$(attn_stage "$(frozen)")"
    printf '    %s |\n' "$(reward_stage "$(scales)")"
    printf '    cagsr-update%s%s --algo %s --lr %s --kl %s --batch %d --seed %s%s%s' \
        "${model:+ -m $(quote "$model")}" "${threads:+ -j $threads}" "$algo" "$lr" "$kl" \
        "$batch" "$seed" "${update_opts:+ $update_opts}" \
        "${board:+ --tensorboard $(quote "$board")}"
    printf ' --publish %s |\n' "$(quote "$out/policy")"
    printf '    cagsr-cat -p -k metric\n'
}

# ---- numbers -----------------------------------------------------------------------------

# Scored records as JSON lines to one line: the means of what they carry.
means()
{
    awk '
@include tools/cagsr-loop/means.awk
'
}

# What an evaluation is without --eval-with: means of the rewards, and what cagsr-eval thinks
# of texts: relevance to the prompt, repetition, copying.
measure() # FILE
{
    cagsr-cat -p -k sample -F ids,reward,rewards "$1" | means
    cagsr-eval -q -B 100 -F tsv "$1" |
        grep -E '^(metric|tfidf|tfidf_gap|rep_3|copy_4|distinct_2)	'
}

# Lines "name=value ...", tables of cagsr-eval: all in one line.
in_one_line()
{
    awk '
@include tools/cagsr-loop/line.awk
        '
}

# Metric records as JSON lines to "name=value ..." lines.
figures()
{
    awk '
@include tools/cagsr-loop/figures.awk
'
}

# The lines of many steps as a table, and the table whole or not at all.
tabulate() # NAME: step-*/NAME to NAME.tsv
{
    cat "$out"/step-??????/"$1" "$out/$1" 2>/dev/null | awk '
@include tools/cagsr-loop/tabulate.awk
' > "$out/$1.tsv.tmp" && mv "$out/$1.tsv.tmp" "$out/$1.tsv"
}

# Every number of a step and its evaluation into the event file.  A step that is done again
# takes the place of what was written before the run was killed.
board_step() # K DIR
{
    [ -n "$board" ] || return 0
    {
        [ ! -f "$2/metrics.jsonl" ] ||
            tail -n 1 "$2/metrics.jsonl" | sed "s/\"step\":[0-9]*/\"step\":$1/"
        [ ! -f "$2/eval" ] || awk '
@include tools/cagsr-loop/board.awk
' "$2/eval"
    } | cagsr-cat --tensorboard "$board" || exit
}

say()
{
    [ "$quiet" -eq 1 ] || printf '%s\n' "$*"
}

# ---- the run -----------------------------------------------------------------------------

# Runs a pipeline's text.  What its stages say is shown only if it fails: the first
# complaint is the cause, the others follow from it.
run() # TEXT LOG
{
    status=0
    (eval "$1") 2> "$2" || status=$?
    judge_run "$status" "$2"
}

judge_run() # STATUS LOG
{
    if [ "$1" -ne 0 ]; then
        cat "$2" >&2
        [ "$1" -lt 7 ] || die 1 'stopped by a signal'
        die "$1" 'stopped; the same command goes on behind the last whole step'
    fi
    [ -s "$2" ] || rm -f "$2"
}

# One run at a time; a lock whose owner has died is taken over.
lock()
{
    if ! (set -C && echo $$ > "$out/lock") 2>/dev/null; then
        owner=$(cat "$out/lock" 2>/dev/null)
        if [ -n "$owner" ] && kill -0 "$owner" 2>/dev/null; then
            die 2 "$out: process $owner is at work on it"
        fi
        echo $$ > "$out/lock"
    fi
    trap 'rm -f "$out/lock"' EXIT
    trap 'say "interrupted; the same command goes on"; exit 6' INT TERM HUP
}

settings()
{
    cat <<EOF
cagsr-loop $version
model $model
prompts $(cksum < "$prompts")
n $cands
batch $batch
algo $algo lr $lr kl $kl
scorer $scorer
sample $sample_opts
attn $attn_opts
reward $reward
reward-options $reward_opts
update $update_opts
calibrate $calibrate
eval $eval_file
seed $seed
pipe $onepipe
EOF
}

# A run that is there already must be this one.
begin()
{
    lines=$(grep -c '[^[:space:]]' "$prompts")
    [ "$batch" -le "$lines" ] ||
        die 2 "--batch $batch is more than the $lines prompts of $prompts"
    mkdir -p "$out" || die 1 "$out: cannot be made"
    lock
    if [ -f "$out/settings" ]; then
        settings > "$out/settings.new"
        other=$(diff "$out/settings" "$out/settings.new" | sed -n 's/^< //p' | head -n 1)
        rm -f "$out/settings.new"
        [ -z "$other" ] || die 2 "$out was begun with other settings: $other"
    else
        settings > "$out/settings.new" && mv "$out/settings.new" "$out/settings"
    fi
    rm -rf "$out"/step-*.tmp*
    # Stages that outlive a killed run must not write into this one's steps.
    part=tmp$$
}

# A directory of the run appears whole.
finish() # DIR.PART
{
    sync "$1" 2>/dev/null || :
    mv "$1" "${1%.tmp*}" || die 1 "$1: cannot be renamed"
}

evaluate() # K DIR MODEL
{
    [ -n "$eval_file" ] || return 0
    run "$(eval_pipeline "$3" "$2")" "$2/eval.log"
    in_one_line < "$2/eval" | sed "s/^/step=$1 /" > "$2/eval.new" && mv "$2/eval.new" "$2/eval"
    [ "$samples" -eq 1 ] || rm -f "$2/eval-samples"
    say "eval $(cat "$2/eval")"
}

# Of a step that was evaluated: the relevance of the answers to prompts that are held out, by
# an encoder where --eval-with has one.
relevance() # DIR
{
    [ ! -f "$1/eval" ] || tr ' ' '\n' < "$1/eval" |
        awk -F= '$1 == "tfidf" && !n { x = $2 } $1 == "relevance" { x = $2; n = 1 }
            END { if (x != "") print " relevance=" x }'
}

is_due() # K
{
    [ $(($1 % eval_every)) -eq 0 ] || [ "$1" -eq "$steps" ]
}

step_zero()
{
    dir=$(step_dir 0)
    if [ ! -d "$dir" ]; then
        mkdir "$dir.$part" || die 1 "$dir.$part: cannot be made"
        if [ -n "$(scales)" ]; then
            grep '[^[:space:]]' "$prompts" | head -n "$calibrate" > "$dir.$part/prompts"
            run "$(calibration_pipeline "$dir.$part")" "$dir.$part/log"
        fi
        finish "$dir.$part"
    fi
    # The scales lie at their place now, where the evaluation looks for them.
    if [ -n "$eval_file" ] && ! grep -q '^step=0' "$dir/eval" 2>/dev/null; then
        evaluate 0 "$dir" "$model"
        board_step 0 "$dir"
    fi
}

one_step() # K
{
    dir=$(step_dir "$1")
    began=$(date +%s)
    mkdir "$dir.$part" || die 1 "$dir.$part: cannot be made"
    step_prompts "$1" > "$dir.$part/prompts"
    run "$(step_pipeline "$1" "$dir.$part")" "$dir.$part/log"
    line=$(figures < "$dir.$part/metrics.jsonl" | tail -n 1)
    [ -n "$line" ] || die 1 "step $1: cagsr-update has learnt from nothing"
    line="$line seconds=$(($(date +%s) - began))"
    ! is_due "$1" || evaluate "$1" "$dir.$part" "$dir.$part/model"
    echo "$line$(relevance "$dir.$part")" | sed "s/^step=[0-9]*/step=$1/" \
        > "$dir.$part/metrics"
    board_step "$1" "$dir.$part"
    say "$(cat "$dir.$part/metrics")"
    finish "$dir.$part"
}

# The link to the newest model; models that are no longer needed go, a step keeps its
# records and numbers.
settle()
{
    for dir in "$out"/step-??????/model; do newest=$dir; done
    [ -d "$newest" ] || return 0
    ln -sfn "$(basename "$(dirname "$newest")")/model" "$out/current"
    [ "$keep" -gt 0 ] || return 0
    set -- "$out"/step-??????/model
    while [ $# -gt "$keep" ]; do
        rm -rf "$1"
        shift
    done
}

steps_one_by_one()
{
    step_zero
    k=1
    while [ "$k" -le "$steps" ]; do
        if [ ! -d "$(step_dir "$k")" ]; then
            one_step "$k"
            settle
            tabulate metrics
        fi
        k=$((k + 1))
    done
    settle # of a run that was killed in between
    tabulate metrics
    [ -z "$eval_file" ] || tabulate eval
}

all_in_one_pipe()
{
    [ ! -d "$out/policy" ] || die 2 "$out: a run in one pipe is begun anew: remove it"
    step_zero
    k=1
    while [ "$k" -le "$steps" ]; do
        step_prompts "$k"
        k=$((k + 1))
    done > "$out/prompts"
    {
        status=0
        (eval "$(pipe_pipeline)") 2> "$out/log" || status=$?
        echo "$status" > "$out/status"
    } | tee "$out/metrics.jsonl" | figures | while read -r line; do say "$line"; done
    figures < "$out/metrics.jsonl" > "$out/metrics"
    tabulate metrics
    judge_run "$(cat "$out/status")" "$out/log"
}

parse "$@"
here=$(dirname "$0")
[ ! -x "$here/cagsr-sample" ] || PATH=$here:$PATH
if [ "$dry" -eq 1 ]; then
    if [ "$onepipe" -eq 1 ]; then pipe_pipeline; else step_pipeline 1 "$(step_dir 1).$part"; fi
    exit 0
fi
begin
if [ "$onepipe" -eq 1 ]; then all_in_one_pipe; else steps_one_by_one; fi
