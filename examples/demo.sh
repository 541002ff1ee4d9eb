#!/bin/sh
# make demo: what CAGSR does to a small model, in under a minute.
# make demo MODEL=smollm2: a look at a real one, in some minutes.
#
# POSIX sh.  BUILD names the folder of the programs; everything is written to BUILD/demo.
set -eu
cd "$(dirname "$0")/.."
BUILD=${BUILD:-build}
case $BUILD in /*) ;; *) BUILD=$PWD/$BUILD ;; esac
PATH=$BUILD:$PATH
out=$BUILD/demo
world=examples/tiny-qa/world.awk
# Two programs of a pipe work by turns: one thread each is enough for so small a model.
export OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 LC_ALL=C

color=0
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then color=1; fi

die()
{
    echo "demo: $*" >&2
    exit 1
}

# ---- the small model ---------------------------------------------------------------------

tiny_evaluate() # NAME MODEL
{
    sampled=$(cagsr-sample -q -m "$2" --raw -n 8 -t 1 --max-tokens 6 --seed 7 $questions |
        cagsr-cat -k sample -t -F reference,finish,text | awk -f $world -v what=judge)
    greedy=$(cagsr-sample -q -m "$2" --raw -n 1 -t 0 --max-tokens 6 $questions |
        cagsr-cat -k sample -t -F reference,finish,text | awk -f $world -v what=judge)
    printf '%s\t%s\t%s\n' "$1" "$sampled" "${greedy%%	*}" >> "$out/summary.tsv"
}

# Updates of 16 prompts with 8 answers each, in one pipe: the model goes back to the
# sampler by --publish and --follow.
tiny_train() # NAME REWARD-COMMAND
{
    cagsr-sample -q --follow "$out/$1" --lag 0 --raw -n 8 -t 1 --max-tokens 6 \
        --seed 1 "$out/prompts.jsonl" |
        cagsr-attn -q -m $model |
        sh -c "$2" |
        cagsr-update -q -m $model --publish "$out/$1" --algo grpo --batch 16 \
            --lr 3e-4 --kl 0.05 --seed 1 |
        cagsr-cat > "$out/$1.jsonl"
}

# A number for every record that has nothing to do with what it says.
random_reward()
{
    cat <<'EOF'
cagsr-cat -H | awk 'BEGIN { srand(1) } /"ids":/ { sub(/}$/, ",\"reward\":" rand() "}") } 1' |
    cagsr-cat -s
EOF
}
