#!/bin/sh
# The unit tests and the shell tests under AddressSanitizer and UBSan, by gcc and by clang
# (one finds what the other does not).  Compilers may be named:  tests/asan.sh clang
#
# Reports are written to files, whatever a test expects of the program that made one: a
# program that should fail, and fails by a report, is found, too.  The real models are left
# out, for they would take an hour: the small ones run the same code.
set -u
cd "$(dirname "$0")/.." || exit 1
CLI_TIMEOUT=${CLI_TIMEOUT:-1200} CAGSR_SMOLLM2=none CAGSR_MINILM=none
export ASAN_OPTIONS UBSAN_OPTIONS CLI_TIMEOUT CAGSR_SMOLLM2 CAGSR_MINILM

[ $# -gt 0 ] || set -- gcc clang
bad=
for cc in "$@"; do
    command -v "$cc" >/dev/null || { echo "asan: no $cc: run 'make deps'" >&2; exit 1; }
    echo "asan: $cc"
    report=$PWD/build/asan-$cc/report
    mkdir -p "${report%/*}"
    rm -f "$report".*
    # gcc 12 aligns the frames that it moves off the stack to 32 bytes: AVX-512 traps there
    after_return=1
    case $cc in gcc*) ! grep -qsw avx512f /proc/cpuinfo || after_return=0 ;; esac
    ASAN_OPTIONS=detect_leaks=1:strict_string_checks=1:exitcode=99:log_path=$report
    ASAN_OPTIONS=$ASAN_OPTIONS:detect_stack_use_after_return=$after_return
    UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1:exitcode=99:log_path=$report
    make -j"${JOBS:-$(nproc)}" -k CC="$cc" MODE=asan check || bad="$bad $cc"
    for f in "$report".*; do
        grep -qsaE 'ERROR: |runtime error: ' "$f" || continue # warnings of the tools' own
        sed -n '1,40p' "$f" >&2
        bad="$bad $f"
    done
done
[ -z "$bad" ] || { echo "asan: failed:$bad" >&2; exit 1; }
echo "asan: no report"
