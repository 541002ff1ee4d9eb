#!/bin/sh
# The unit tests and the shell tests under AddressSanitizer and UBSan, by gcc and by clang
# (one finds what the other does not).  Compilers may be named:  tests/asan.sh clang
set -u
cd "$(dirname "$0")/.." || exit 1
ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1:strict_string_checks=1:detect_stack_use_after_return=1}
UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1:halt_on_error=1}
CLI_TIMEOUT=${CLI_TIMEOUT:-1200}
export ASAN_OPTIONS UBSAN_OPTIONS CLI_TIMEOUT

[ $# -gt 0 ] || set -- gcc clang
bad=
for cc in "$@"; do
    command -v "$cc" >/dev/null || { echo "asan: no $cc: run 'make deps'" >&2; exit 1; }
    echo "asan: $cc"
    if ! make -j"${JOBS:-$(nproc)}" CC="$cc" MODE=asan all ||
        ! make -j"${JOBS:-$(nproc)}" -k CC="$cc" MODE=asan unit check-cli; then
        bad="$bad $cc"
    fi
done
[ -z "$bad" ] || { echo "asan: failed with:$bad" >&2; exit 1; }
echo "asan: no report"
