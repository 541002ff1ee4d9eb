#!/bin/sh
# make demo: what CAGSR does to a small model, in under a minute.
# make demo MODEL=smollm2: a look at a real one, in some minutes.
# make demo MODEL=DIR-OR-GGUF: the same look at a model of yours.
#
# POSIX sh.  BUILD names the folder of the programs; everything is written to BUILD/demo,
# or to DEMO_OUT.
set -eu
cd "$(dirname "$0")/.."
BUILD=${BUILD:-build}
case $BUILD in /*) ;; *) BUILD=$PWD/$BUILD ;; esac
PATH=$BUILD:$PATH
out=${DEMO_OUT:-$BUILD/demo}
# The programs bring their own threads; LC_ALL: bytes and decimal points.
export OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 LC_ALL=C
color=0
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then color=1; fi

die()
{
    echo "demo: $*" >&2
    exit 1
}

say()
{
    printf '%s\n' "$*"
}

# One prompt of a stream with its candidates, best first.
show() # STREAM ID COMPONENTS CANDIDATES
{
    cagsr-cat -k sample -t -F id,cand,reward,rewards,text,prompt,prompt_ends,prompt_mask,attn.rows "$1" |
        awk -F '\t' -v id="$2" 'NR == 1 || $1 == id' | head -n $((1 + $4)) |
        awk -v color=$color -v notes="$3" -f examples/show.awk
}

. "examples/demo-$(case $1 in tiny-qa) echo tiny ;; *) echo real ;; esac).sh"
