#!/bin/sh
# What the tools cost:  rl.sh [-b] [step|step-files|start|reward-start|cat-start|check|reward
# ...].  A line for each repetition, as model.c's:  ours WORK SECONDS UNITS PEAK_KB
# With -b, --dtype bf16 wherever a model is:  ours-bf16 ...
#
#   step          GRPO, 4 prompts x 8 candidates x 64 tokens, from samples to the next
#                 version, as one pipe: the time between two versions' metric records.
#                 Versions are handed over in memory, in BENCH_SHM (/dev/shm, where it can
#                 be written), so that no disk is waited for; the first steps, whose
#                 versions the kernel has to find memory for, are left out: it goes around
#                 from then on.  Memory: that of the four programs together.  In bf16 the update
#                 is one pass (--rows 2560)
#   step-files    the same as four commands with files between them, models read and
#                 written each time.  Memory: the largest of the four
#   step-own, step-own-files   the same without a reference model, as TRL's step is: rewards are
#                 of the attention that sampling leaves (all but coherence, which is the
#                 reference's), and there is no cagsr-attn
#   start         cagsr-sample from exec to its end, one token drawn
#   reward-start, cat-start   the same for a stream of one record
#   check         cagsr-cat --check; units are bytes
#   reward        cagsr-reward; units are records
# All by the clock.
set -eu
cd "$(dirname "$0")/../.."
. tests/bench/kit.sh
dir=$(mktemp -d "${TMPDIR:-/tmp}/cagsr-bench.XXXXXX")
shm=${BENCH_SHM:-/dev/shm}
if [ -w "$shm" ]; then shm=$(mktemp -d "$shm/cagsr-bench.XXXXXX"); else shm=$dir; fi
trap 'rm -rf "$dir" "$shm"' EXIT
trap 'exit 130' INT TERM
RECORDS=32 TOKENS=2048 # of a step
who=ours dtype=f32
if [ "${1:-}" = -b ]; then
    who=ours-bf16 dtype=bf16
    shift
fi

# ---- a step ------------------------------------------------------------------------------
# Times of the metric records, as they come.
stamps() {
    cagsr-cat --tsv -k metric -F step | while read -r step; do
        [ "$step" = step ] || date +%s.%N
    done
}

# The filter between samples and rewards.
scored() {
    case $work in
    step-own*) cat ;;
    *) "$out/wall" -p "$peaks" cagsr-attn -q --dtype "$dtype" -m "$model" ;;
    esac
}

# Options of cagsr-sample, cagsr-reward and cagsr-update for the work.
options() {
    draws='' rewards='' learns=''
    case $work in
    step-own*) draws=--attn rewards='--weights +coherence=0' learns='--kl 0' ;;
    esac
    [ "$dtype" = f32 ] || learns="$learns --rows 2560"
}

KEEP=2 # versions: one more is being written
step_pipe() {
    steps=$((times + KEEP + 1)) policy=$shm/policy peaks=$dir/peaks
    rm -rf "$policy" "$peaks"
    prompts "$steps" >"$dir/prompts.jsonl"
    "$out/wall" -p "$peaks" cagsr-sample -q --dtype "$dtype" -n 8 --max-tokens 64 $draws \
        --ignore-eos --raw --seed 1 --follow "$policy" --batch-prompts 4 "$dir/prompts.jsonl" |
        scored |
        "$out/wall" -p "$peaks" cagsr-reward -q $rewards |
        "$out/wall" -p "$peaks" cagsr-update -q --dtype "$dtype" -m "$model" --algo grpo \
            $learns --batch 4 --keep $KEEP --publish "$policy" | stamps >"$dir/stamps"
    [ "$(wc -l <"$dir/stamps")" -eq "$steps" ] || die "step: not $steps updates"
    awk -v units=$TOKENS -v who="$who" -v work="$work" -v out=$KEEP 'FNR == NR { kb += $1; next }
        FNR > out + 1 { printf "%s %s %.6f %d %d\n", who, work, $1 - last, units, kb }
        { last = $1 }' \
        "$peaks" "$dir/stamps"
}

# $dir/0.rec to 2.rec: samples, with attention, with rewards; then the update.
files='
    cagsr-sample -q -f -m "$model" --dtype "$dtype" -n 8 --max-tokens 64 --ignore-eos --raw \
        --seed 1 $draws -o "$dir/0.rec" "$dir/prompts.jsonl" &&
    if [ -n "$draws" ]; then
        mv "$dir/0.rec" "$dir/1.rec"
    else
        cagsr-attn -q -f -m "$model" --dtype "$dtype" -o "$dir/1.rec" "$dir/0.rec"
    fi &&
    cagsr-reward -q -f $rewards -o "$dir/2.rec" "$dir/1.rec"'
update='
    cagsr-update -q -f -m "$model" --dtype "$dtype" --algo grpo $learns --batch 4 \
        -o "$dir/new" \
        "$dir/2.rec"'

step_files() {
    prompts 1 >"$dir/prompts.jsonl"
    wall -n "$times" "$who" "$work" $TOKENS sh -c "$files && $update"
}

# ---- start-up, throughput ----------------------------------------------------------------
# A stream with attention: $dir/1.rec; of its first record: $dir/one.rec.
stream() {
    [ -e "$dir/one.rec" ] && return
    prompts 1 >"$dir/prompts.jsonl"
    sh -c "$files"
    cagsr-cat -s -n 1 -o "$dir/one.rec" "$dir/1.rec"
}

# Copies of a stream, one behind the other, until they are this many bytes.
copies() {
    stream
    size=$(wc -c <"$dir/1.rec") n=0
    : >"$dir/many.rec"
    while [ $((n * size)) -lt "$1" ]; do
        cat "$dir/1.rec"
        n=$((n + 1))
    done >>"$dir/many.rec"
}

start() {
    prompts 1 | head -n 1 >"$dir/prompt.jsonl"
    wall -n "$times" "$who" start 1 cagsr-sample -q -m "$model" --dtype "$dtype" -n 1 \
        --max-tokens 1 --raw "$dir/prompt.jsonl"
}

reward_start() {
    stream
    wall -n "$times" ours reward-start 1 cagsr-reward -q "$dir/one.rec"
}

cat_start() {
    stream
    wall -n "$times" ours cat-start 1 cagsr-cat -q "$dir/one.rec"
}

check() {
    copies 268435456
    wall -n "$times" ours check "$(wc -c <"$dir/many.rec")" cagsr-cat --check "$dir/many.rec"
}

reward() {
    copies 134217728
    wall -n "$times" ours reward $((n * RECORDS)) cagsr-reward -q "$dir/many.rec"
}

export model dir dtype draws rewards learns
[ $# -gt 0 ] || set -- step step-files start reward-start cat-start check reward
for work in "$@"; do
    options
    case $work in
    step | step-own) step_pipe ;;
    step-files | step-own-files) step_files ;;
    start) start ;;
    reward-start) reward_start ;;
    cat-start) cat_start ;;
    check) check ;;
    reward) reward ;;
    *) die "no work '$work'" ;;
    esac
done
