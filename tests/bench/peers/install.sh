#!/bin/sh
# make bench-peers: what `make bench` measures beside ours, in a Python environment of its
# own, build/peers (about 2 GB): PyTorch for CPUs, transformers, TRL, and llama-cpp-python
# from its source, so that llama.cpp is built for this processor.  It can be told of
# another Python with CAGSR_PEERS instead.  Needs python3-venv, cmake, a C++ compiler.
#
# llama.cpp built by gcc 12 crashes on quantised weights on machines with AMX; here it only
# gets F32 and BF16.  PEERS_CMAKE holds options for its cmake.
set -eu
peers=${BUILD:-build}/peers
log=$peers.log

die() {
    printf 'bench-peers: %s\n' "$*" >&2
    exit 1
}

step() {
    printf 'bench-peers: %s\n' "$1"
    shift
    "$@" >>"$log" 2>&1 || {
        tail -n 20 "$log" >&2
        die "failed; all of it is in $log"
    }
}

command -v python3 >/dev/null || die "no python3: run 'make deps'"
command -v cmake >/dev/null || die "no cmake; on Debian: apt-get install cmake g++"
command -v c++ >/dev/null || die "no C++ compiler; on Debian: apt-get install cmake g++"
mkdir -p "${BUILD:-build}"
: >"$log"
[ -x "$peers/bin/python" ] ||
    step "environment in $peers" python3 -m venv "$peers"
pip="$peers/bin/python -m pip install --disable-pip-version-check"
# shellcheck disable=SC2086 # a list of words
{
    step "PyTorch" $pip torch --extra-index-url https://download.pytorch.org/whl/cpu
    step "transformers, TRL" $pip transformers trl
    step "llama.cpp, from source (10 minutes or more)" \
        env CMAKE_BUILD_PARALLEL_LEVEL=2 CMAKE_ARGS="${PEERS_CMAKE:-}" \
        $pip --no-binary llama-cpp-python llama-cpp-python
}
"$peers/bin/python" -c '
import torch, transformers, trl, llama_cpp
print("bench-peers: torch %s, transformers %s, trl %s, llama-cpp-python %s" % (
    torch.__version__, transformers.__version__, trl.__version__, llama_cpp.__version__))'
