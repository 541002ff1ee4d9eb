#!/bin/sh
# What a reward goes with, before anything is trained on it:
#
#     audit.sh [options] MODEL PROMPTS OUT
#
#   -n N              answers to a prompt (default 8)
#   -t, --tokens N    of an answer at most (default 48)
#   -f, --fit FILE    other prompts: weights of heads are fitted on answers to them, without
#                     labels, and judged on PROMPTS
#   -k, --kinds LIST  of corrupted answers (default all, see cagsr-audit(1))
#
# MODEL answers PROMPTS and scores its own answers; the default reward, the paper's sums, the
# last layer alone and fitted heads are compared, inside a prompt, with what needs no
# attention: relevance by a sentence encoder (ENCODER, a directory of sentence-transformers;
# without it by words), and likeness to the references.  OUT/NAME.tsv has every number with its
# interval; OUT/audit.md the tables.  Whatever stops it, the same command goes on.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
program=audit
. "$here/common.sh"

n=8 tokens=48 fit='' kinds=all
option()
{
    case $1 in
    -n) n=$2 ;;
    -t | --tokens) tokens=$2 ;;
    -f | --fit) fit=$2 ;;
    -k | --kinds) kinds=$2 ;;
    *) unknown "$1" ;;
    esac
}
arguments "$@"
[ -z "$fit" ] || [ -r "$fit" ] || die "$fit: cannot be read"
mkdir -p "$out"

answers() { cagsr-sample -q -m "$model" -n "$n" --max-tokens "$tokens" -t 1 --seed 1 "$1"; }
measures() { cagsr-eval -q --each ${ENCODER:+--encoder "$ENCODER"}; }
verdict() { cagsr-audit -q -F tsv -g length,ref,lexical; }

corrupted() { cagsr-audit -q --make "$kinds" "$out/own.rec" | cagsr-attn -q -m "$model" | measures; }
attended() { cagsr-attn -q -m "$model" "$@" "$out/own.rec" | measures; } # WORDS of cagsr-attn
literal() { cagsr-reward -q --literal "$out/scored.rec" | cagsr-audit -q -F tsv; }

# The default reward in units of its own deviations, the controls beside it at no weight.
by_default() # STREAM
{
    cagsr-cat -s -w '!corrupt' "$1" | cagsr-reward -q --calibrate "$out/scales" >/dev/null
    cagsr-reward -q -s "$out/scales" -w +lexical=0,logp=0,random=0 "$1" | verdict
}

fitted()
{
    cagsr-audit -q --make mismatched "$out/fit.rec" |
        cagsr-attn -q -m "$model" --heads each --no-logp --max-record 256M |
        cagsr-audit -q --max-record 256M --fit "$out/heads.made" >"$out/fit.txt"
    cat "$out/heads.made"
}

make own.rec answers "$prompts"
make scored.rec corrupted
make default.tsv by_default "$out/scored.rec"
make literal.tsv literal
make last.rec attended -l last
make last.tsv by_default "$out/last.rec"
if [ -n "$fit" ]; then
    make fit.rec answers "$fit"
    make heads fitted
    make heads.rec attended --heads "$out/heads"
    make heads.tsv by_default "$out/heads.rec"
fi
(cd "$out" && awk -f "$here/audit.awk" default.tsv literal.tsv last.tsv ${fit:+heads.tsv}) >"$out/audit.md"
cat "$out/audit.md"
