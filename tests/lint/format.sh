# Every source is as clang-format leaves it.
command -v clang-format >/dev/null || { echo "no clang-format: run 'make deps'"; exit 1; }
files=$(find libcore tools tests examples -name '*.[ch]' 2>/dev/null | sort)
# shellcheck disable=SC2086 # a list of words
clang-format --dry-run -Werror $files 2>&1 | grep -E 'error|warning' | head -n 40 >"${TMPDIR:-/tmp}/lint.$$"
n=$(wc -l <"${TMPDIR:-/tmp}/lint.$$")
cat "${TMPDIR:-/tmp}/lint.$$"
rm -f "${TMPDIR:-/tmp}/lint.$$"
[ "$n" -eq 0 ]
