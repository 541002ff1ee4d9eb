#!/bin/sh
# Systems side by side, with equal budgets of samples and updates:
#
#     run.sh [options] MODEL PROMPTS OUT
#
#   -S, --systems LIST     names of examples/compare/systems (default: all that apply)
#   -s, --seeds LIST       seeds (default 1,2)
#   -c, --settings FILE    budgets and evaluation (default settings/default.sh)
#   -e, --eval FILE        held-out prompts (default: records of PROMPTS with "split":"eval";
#                          training takes the others)
#   -P N                   cells at a time (default 1)
#   -n, --dry-run          say which cells there are and which are done
#
# A %s in MODEL stands for the seed: a start of its own for each.  A cell is a system with a
# seed: OUT/SEED/SYSTEM.  Whatever stops a run, the same command goes on behind the last
# whole step, and ends with the same bytes.  OUT/report.html shows what came out, with curves
# and tables; OUT/results.tsv has a row for every number:
#
#     seed system step kl decoding metric value low high
#
# `step` counts updates; `kl` is the divergence of the policy from the start, nats an answer;
# `decoding` is t1, t0.7, greedy (temperature .1).  What is evaluated never enters a reward,
# and the reward that is reported is that of the frozen start (`frozen`).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
program=compare
. "$here/common.sh"

systems='' seeds=1,2 settings=$here/settings/default.sh held='' jobs=1 dry=
option()
{
    case $1 in
    -S | --systems) systems=$(echo "$2" | tr ',' ' ') ;;
    -s | --seeds) seeds=$2 ;;
    -c | --settings) settings=$2 ;;
    -e | --eval) held=$2 ;;
    -P) jobs=$2 ;;
    -n | --dry-run) dry=y takes=1 ;;
    *) unknown "$1" ;;
    esac
}
arguments "$@"
case $settings in */*) ;; *) settings=$here/settings/$settings.sh ;; esac
[ -r "$settings" ] || die "$settings: cannot be read"
[ -n "$systems" ] || systems=$(cd "$here/systems" && ls | sed 's/\.sh$//')
for system in $systems; do
    [ -r "$here/systems/$system.sh" ] || die "no system '$system' in $here/systems"
done
mkdir -p "$out"
out=$(cd "$out" && pwd)

# Training and held-out prompts, once.
if [ ! -s "$out/eval.jsonl" ]; then
    if [ -n "$held" ]; then
        cp "$prompts" "$out/train.jsonl"
        cp "$held" "$out/eval.jsonl.new"
    else
        grep -v '"split": *"eval"' "$prompts" >"$out/train.jsonl" || die "$prompts: no prompts to train on"
        grep '"split": *"eval"' "$prompts" >"$out/eval.jsonl.new" ||
            die "$prompts: no record has \"split\":\"eval\"; name held-out prompts with --eval"
    fi
    mv "$out/eval.jsonl.new" "$out/eval.jsonl"
fi

export here model out settings
cells=
for seed in $(echo "$seeds" | tr ',' ' '); do
    for system in start $systems; do cells="$cells $seed/$system"; done
done
for cell in $cells; do
    say "$cell: $([ -e "$out/$cell/done" ] && echo done || echo 'to be run')"
done
[ -z "$dry" ] || exit 0

# Starts first: the others need their scales.
status=0
for which in start other; do
    for cell in $cells; do
        case $cell in */start) kind=start ;; *) kind=other ;; esac
        [ "$kind" != "$which" ] || [ -e "$out/$cell/done" ] || echo "$cell"
    done | xargs -r -P "$jobs" -n 1 sh "$here/cell.sh" || status=$?
    [ "$status" -eq 0 ] || break
done
"$here/report.sh" "$out"
[ "$status" -eq 0 ] || { say 'some cells have failed; the same command goes on'; exit 1; }
