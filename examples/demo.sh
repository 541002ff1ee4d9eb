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

die()
{
    echo "demo: $*" >&2
    exit 1
}

say()
{
    printf '%s\n' "$*"
}

# One prompt of a stream: its candidates ranked, the best and the worst of them.
show() # STREAM ID
{
    cagsr-view -i "$2" "$1"
    say
}

. "examples/demo-$(case $1 in tiny-qa) echo tiny ;; *) echo real ;; esac).sh"
