#!/bin/sh
# libFuzzer over every parser: tests/fuzz/fuzz_*.c, FUZZ_SECONDS each (600).  Targets may be
# named:  tests/fuzz/run.sh gguf rec.  Seeds come from the golden files; what the fuzzer
# learns stays in build/fuzz/corpus.  A finding is kept as build/fuzz/TARGET-crash-*, and
# the exit status is 1.
set -u
cd "$(dirname "$0")/../.." || exit 1
CC=${FUZZ_CC:-clang} BUILD=build/fuzz seconds=${FUZZ_SECONDS:-600}
command -v "$CC" >/dev/null || { echo "fuzz: no $CC: run 'make deps'" >&2; exit 1; }

CFLAGS=-fsanitize=fuzzer-no-link make -s -j"${JOBS:-$(nproc)}" CC="$CC" MODE=asan \
    BUILD=$BUILD $BUILD/libcagsr.a \
    $(ls tools/*/*.c | sed "s|\(.*\)\.c|$BUILD/obj/\1.o|") || exit 1
for tool in tools/*/; do
    ls "$tool"*.c >/dev/null 2>&1 || continue # a header, or what is not C
    ar rcs "$BUILD/$(basename "$tool").a" "$BUILD/obj/$tool"*.o || exit 1
done
flags="-std=gnu11 -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined
    -Ilibcore -D_GNU_SOURCE $(pkg-config --cflags msgpack jansson)"
libs="$BUILD/libcagsr.a $(pkg-config --libs openblas msgpack libpcre2-8 libutf8proc jansson \
    libxxhash) -lpthread -lm -ldl"

# The parts of the tool that a target includes from.
parts() {
    sed -n "s|^#include \"../../tools/\([a-z-]*\)[/.].*|$BUILD/\1.a|p" "tests/fuzz/fuzz_$1.c" | sort -u
}

seed() { # target: files that are good input for it
    case $1 in
    safetensors) find tests/golden -name '*.safetensors' -size -64k ;;
    gguf) find tests/golden -name 'q_*.gguf' ;;
    index) find tests/golden -name '*.index.json' ;;
    tok) find tests/golden -name tokenizer.json -size -200k ;;
    gguf_model) find tests/golden/tok -name '*.gguf' ;;
    config) find tests/golden -name config.json ;;
    esac
    find tests/fuzz/seeds/"$1" -type f 2>/dev/null
}

bad=
[ $# -gt 0 ] || set -- $(ls tests/fuzz/fuzz_*.c | sed 's|.*/fuzz_||; s|\.c$||')
for target in "$@"; do
    program=$BUILD/fuzz_$target corpus=$BUILD/corpus/$target
    mkdir -p "$corpus"
    # shellcheck disable=SC2086 # lists of words
    $CC $flags -o "$program" "tests/fuzz/fuzz_$target.c" $(parts "$target") $libs || { bad="$bad $target"; continue; }
    seed "$target" | while read -r f; do
        cp "$f" "$corpus/seed-$(echo "$f" | tr / -)"
    done
    if "$program" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=4096 -malloc_limit_mb=2048 \
        -max_len=262144 -artifact_prefix="$BUILD/$target-" -print_final_stats=1 "$corpus" \
        >"$BUILD/$target.log" 2>&1; then
        printf 'fuzz: %-14s ok, %s runs\n' "$target" \
            "$(sed -n 's/stat::number_of_executed_units: *//p' "$BUILD/$target.log")"
    else
        printf 'fuzz: %-14s FOUND something: %s\n' "$target" "$BUILD/$target.log"
        grep -E 'ERROR|SUMMARY|Test unit written' "$BUILD/$target.log"
        bad="$bad $target"
    fi
done
[ -z "$bad" ] || { echo "fuzz: findings in:$bad" >&2; exit 1; }
