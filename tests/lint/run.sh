#!/bin/sh
# All checks of tests/lint/, or those named:  tests/lint/run.sh [format man deps ...]
# Each prints what is wrong as "file:line: sentence" and ends with 1.  LINT_ROOT lints
# another tree (tests/lint/self.sh breaks copies of this one to see every check fail).
set -u
here=$(cd "$(dirname "$0")" && pwd)
cd "${LINT_ROOT:-$here/../..}" || exit 1
LC_ALL=C BUILD=${BUILD:-build}
export LC_ALL BUILD

[ $# -gt 0 ] || set -- format deps size comments state man usage
bad=
for check in "$@"; do
    if out=$(sh "$here/$check.sh" 2>&1); then
        printf 'lint: %-9s ok%s\n' "$check" "${out:+
$out}"
    else
        printf 'lint: %-9s FAILED\n%s\n' "$check" "$out"
        bad="$bad $check"
    fi
done
[ -z "$bad" ] || { echo "lint: failed:$bad" >&2; exit 1; }
