#!/bin/sh
# make bench: figures, not tests.  Every work by ours and by the peers that are installed
# (`make bench-peers`, or CAGSR_PEERS=PYTHON), in turns, so that what else the machine does
# hits all of them; then medians, and ratios last.
#
#   BENCH_ONLY=decode8,train   these works only: a work of tests/bench/model.c or rl.sh, or
#                              `kern`, the products of kern.c beside OpenBLAS
#   BENCH_TURNS=N              turns (3)
#   BENCH_MODEL, BENCH_THREADS, BENCH_TIMES: tests/bench/kit.sh
#   CAGSR_PEERS=PYTHON         a Python that has torch, transformers, trl, llama_cpp, or some
#                              of them; `none`: ours alone
#
# Writes, in build/bench: raw.txt, a line for each repetition; table.tsv; table.md, the same
# with the machine's description, to be read.
set -eu
cd "$(dirname "$0")/../.."
. tests/bench/kit.sh
turns=${BENCH_TURNS:-3}
python=${CAGSR_PEERS:-$BUILD/peers/bin/python}
peers=tests/bench/peers
works=${BENCH_ONLY:-decode1,decode8,decode32,decode8-attn,decode32-attn,score,score-group,\
train,adamw,start,reward-start,cat-start,check,reward,step-files,step,step-own-files,step-own,\
kern}
works=$(echo "$works" | tr ',' ' ')
mkdir -p "$out"

# Text needs a tokenizer; a model of random weights has none.
is_text() {
    case $1 in start | reward-start | cat-start | check | reward | step*) return 0 ;; esac
    return 1
}
if [ -d "$model" ] && [ ! -e "$model/tokenizer.json" ]; then
    some=
    for work in $works; do
        if is_text "$work"; then
            say "$work: left out, $model has no tokenizer"
        else
            some="$some $work"
        fi
    done
    works=$some
fi

# ---- the peers, and the model in their formats -------------------------------------------
versions=
has() { # module, the peer's name
    version=$("$python" -c "import $1; print($1.__version__)" 2>/dev/null | tail -n 1) || version=
    if [ -z "$version" ]; then
        say "$2 is not installed: left out (make bench-peers)"
        return 1
    fi
    versions="$versions, $2 $version"
}

wants() { # a work among those that begin with one of these
    for work in $works; do
        for begin in "$@"; do
            case $work in "$begin"*) return 0 ;; esac
        done
    done
    return 1
}

torch= llama= trl=
if [ "$python" != none ]; then
    if wants decode score train adamw start step; then
        has torch PyTorch && has transformers transformers && torch=y
    fi || :
    if wants decode start; then has llama_cpp llama-cpp-python && llama=y; fi || :
    if wants step; then has trl TRL && trl=y; fi || :
fi
bf16=
if grep -q -m 1 -E ' (avx512_bf16|amx_bf16|bf16)( |$)' /proc/cpuinfo; then bf16=y; fi

convert() { # what it makes, options
    made=$out/$1
    shift
    [ -e "$made" ] && [ "$made" -nt "$model" ] ||
        cagsr-convert -q -f "$@" -o "$made" "$model" 2>/dev/null ||
        cagsr-convert -q -f "$@" --no-tokenizer -o "$made" "$model"
}

tag=$(basename "$model" .gguf)
hf=$out/$tag.hf f32=$out/$tag.f32.gguf half=$out/$tag.bf16.gguf
if [ -n "$torch$trl" ]; then convert "$tag.hf" --dtype f32; fi
if [ -n "$llama" ]; then
    convert "$tag.f32.gguf" --gguf --type f32
    convert "$tag.bf16.gguf" --gguf --type bf16
fi

# ---- a turn ------------------------------------------------------------------------------
# Runs a command and keeps its lines: shown, and in raw.txt.  Of a peer that fails nothing
# is kept; ours must not fail.
keep() {
    "$@" >"$out/part.txt" || return
    tee -a "$out/raw.txt" <"$out/part.txt"
}

peer() { # program, model, type, work
    keep env OMP_NUM_THREADS="$threads" "$python" "$peers/$1_bench.py" -m "$2" \
        -j "$threads" -n "$times" --dtype "$3" "$4" || say "$1 failed at $4: left out"
}

peer_start() { # who, program, model
    keep wall -n "$times" "$1" start 1 "$python" "$peers/$2_bench.py" -m "$3" \
        -j "$threads" start || say "$2 failed at start: left out"
}

by_torch() {
    [ -z "$torch" ] || peer torch "$hf" f32 "$1"
    [ -z "$torch" ] || [ -z "$bf16" ] || [ "$1" = adamw ] || peer torch "$hf" bf16 "$1"
}

by_llama() {
    [ -n "$llama" ] || return 0
    peer llama "$f32" f32 "$1"
    peer llama "$half" bf16 "$1"
}

ours() { # work, options
    keep "$out/model" -m "$model" -j "$threads" -n "$times" "$@" || die "$1 failed"
}

# rl.sh's arguments, the work last.
tools() { keep tests/bench/rl.sh "$@" || die "$* failed"; }

# The same with bf16 where the processor multiplies it.
both() {
    tools "$1"
    [ -z "$bf16" ] || tools -b "$1"
}

turn() {
    for work in $works; do
        case $work in
        decode1 | decode8 | decode32)
            ours "$work" && ours "$work" -b && by_torch "$work" && by_llama "$work"
            ;;
        decode* | score*) ours "$work" && ours "$work" -b && by_torch "$work" ;;
        train)
            ours train
            [ -z "$bf16" ] || ours train -b
            by_torch train
            ;;
        adamw) ours adamw && ours triad && by_torch adamw ;;
        start)
            tools start && tools -b start
            [ -z "$torch" ] || peer_start torch-f32 torch "$hf"
            [ -z "$llama" ] || peer_start llama-f32 llama "$f32"
            ;;
        step)
            both step
            [ -z "$trl" ] || peer trl "$hf" f32 step
            [ -z "$trl" ] || [ -z "$bf16" ] || peer trl "$hf" bf16 step
            ;;
        step-*) both "$work" ;;
        kern) ;;
        *) tools "$work" ;;
        esac
    done
}

# ---- the table ---------------------------------------------------------------------------
machine() {
    first() { sed -n "s/^$1[^:]*: *//p" /proc/cpuinfo | head -n 1; }
    sets=$(first flags | tr ' ' '\n' |
        grep -E '^(avx2|fma|avx512f|avx512_bf16|avx512_vnni|amx_.*)$' | tr '\n' ' ')
    printf '%s, %s processors, %s\n' "$(first 'model name')" "$(nproc --all)" "${sets:-$(uname -m)}"
    printf '%s thread(s); load %s when it began; %s; %s\n' "$threads" "$load" \
        "$(cagsr-cat --version)" "$(git log -1 --format=%h 2>/dev/null || echo 'no git')"
    printf 'model %s; %s%s\n' "$(basename "$model")" "$(${CC:-cc} --version | head -n 1)" \
        "$versions"
}

load=$(cut -d ' ' -f 1 /proc/loadavg)
: >"$out/raw.txt"
if wants kern; then
    # Products alone: medians and ratios are its own.
    "$out/kern" -j "$threads"
    "$out/kern" -j "$threads" openblas
    "$out/kern" -j "$threads" free
    [ -z "$bf16" ] || "$out/kern" -j "$threads" bf16
    [ -z "$bf16" ] || "$out/kern" -j "$threads" free bf16
fi
i=0
while [ $i -lt "$turns" ]; do
    i=$((i + 1))
    turn
done
awk -f tests/bench/table.awk "$out/raw.txt" >"$out/table.tsv"
{
    machine | sed 's/$/  /'
    echo
    awk -F '\t' -v OFS=' | ' '{ $1 = $1; print "| " $0 " |" }
        NR == 1 { print "|---|---|--:|--:|--:|--:|--:|--:|" }' "$out/table.tsv"
} >"$out/table.md"
cat "$out/table.md"
