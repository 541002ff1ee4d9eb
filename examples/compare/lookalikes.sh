#!/bin/sh
# Does a reward tell a right answer in other words from a wrong one in the prompt's?
#
#     lookalikes.sh [options] MODEL ANSWERS OUT
#
#   --heads FILE      weights of heads, of cagsr-audit --fit: a row of their own
#   -n N              at most N prompts (default 300)
#
# ANSWERS has a JSON record on each line, with a prompt (`prompt`, or `instruction` and `input`)
# and several right answers to it: a list under `answers`.  Of these the one that mentions least
# of the prompt is set against the other prompts' answer that mentions most of it (look-alike),
# against one at random, and against the right answer that stands first; see lookalikes.awk.
# No answer is the model's own.  OUT/lookalikes.md has the table: how often the reward and each
# of its components put the right answer first (ties half), with intervals over prompts.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
program=lookalikes
. "$here/common.sh"

n=300 heads=''
option()
{
    case $1 in
    -n) n=$2 ;;
    --heads) heads=$2 ;;
    *) unknown "$1" ;;
    esac
}
arguments "$@"
[ -z "$heads" ] || [ -r "$heads" ] || die "$heads: cannot be read"
mkdir -p "$out"

# A prompt and its right answers, each.
rows()
{
    jq -c 'if has("prompt") then . else
            .prompt = ([.instruction, .input | select(. != null and . != "")] | join("\n")) end
        | {prompt, answers}' "$prompts"
}

picks()
{
    jq -r '[.prompt, .answers[]] | @tsv' "$out/rows.jsonl" |
        awk -v seed=1 -f "$here/lookalikes.awk" | head -n "$n"
}

# Records with four answers: its own, and those of $kinds.
kinds='["", "lookalike", "random", "first"]'
answers()
{
    jq -c -n --slurpfile row "$out/rows.jsonl" --rawfile picks "$out/picks" '
        $picks | split("\n")[] | select(. != "")
        | [splits(" ") | tonumber] as [$p, $own, $q, $like, $r, $any]
        | {id: "l\($p)", prompt: $row[$p].prompt, answers: [$row[$p].answers[$own],
            $row[$q].answers[$like], $row[$r].answers[$any], $row[$p].answers[0]]}'
}

given()
{
    cagsr-sample -q -m "$model" --given answers "$out/answers.jsonl" | cagsr-cat |
        jq -c "if .kind == \"sample\" and .cand > 0 then .corrupt = $kinds[.cand] else . end" |
        cagsr-cat -s
}

# The default reward's units: deviations of the model's own answers.
scales() # NAME, and more options of cagsr-attn
{
    name=$1
    shift
    cagsr-attn -q -m "$model" "$@" "$out/own.rec" |
        cagsr-reward -q --calibrate "$out/$name.made" >/dev/null
    cat "$out/$name.made"
    rm "$out/$name.made"
}

own()
{
    jq -c 'del(.answers)' "$out/answers.jsonl" | head -n 50 |
        cagsr-sample -q -m "$model" -n 8 --max-tokens 48 --seed 1
}

scored() # NAME, and more options of cagsr-attn
{
    name=$1
    shift
    cagsr-attn -q -m "$model" "$@" "$out/given.rec" |
        cagsr-reward -q -s "$out/$name.scales" -w +lexical=0,logp=0,random=0
}

table() # NAME, and more options of cagsr-attn
{
    make "$1.scales" scales "$@"
    make "$1.rec" scored "$@"
    make "$1.tsv" cagsr-audit -q -F tsv "$out/$1.rec"
}

make rows.jsonl rows
make picks picks
[ -s "$out/picks" ] ||
    die "$prompts: no prompt has an answer that mentions less of it than another's does"
make answers.jsonl answers
make given.rec given
make own.rec own
table default
[ -z "$heads" ] || table heads --heads "$heads"
(cd "$out" && awk -f "$here/audit.awk" default.tsv ${heads:+heads.tsv}) >"$out/lookalikes.md"
cat "$out/lookalikes.md"
