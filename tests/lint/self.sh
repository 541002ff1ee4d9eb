#!/bin/sh
# Can the checks fail?  Breaks a copy of the tree, once for each, and wants to be told.
set -u
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/cagsr-lint.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
bad=0

expect() { # check, what it must say; the break has been made in $work
    LINT_ROOT=$work sh "$here/run.sh" "$1" 2>&1 | grep -q -- "$2" ||
        { echo "lint: $1 does not see it: $2"; bad=1; }
    rm -rf "${work:?}/libcore" "$work/man"
}
fresh() { cp -r "$here/../../libcore" "$here/../../man" "$here/../../.clang-format" "$work/"; mkdir -p "$work/tools" "$work/tests"; }

fresh; echo 'int   x ;' >>"$work/libcore/base/err.c"
expect format base/err.c
fresh; echo '#include "model/model.h"' >>"$work/libcore/base/err.c"
expect deps 'module base may not include'
fresh; echo '#include <msgpack.h>' >>"$work/libcore/io/gguf.c"
expect deps '<msgpack.h> belongs into'
fresh; yes '/* */' | head -n 601 >>"$work/libcore/base/err.c"
expect size 'base/err.c:.*at most 600'
fresh; printf '\nint bare_function(void);\n' >>"$work/libcore/base/err.h"
expect comments bare_function
fresh; echo '.Nonsense' >>"$work/man/cagsr-cat.1"
expect man cagsr-cat.1
[ $bad -eq 0 ] && echo "lint: every check can fail"
exit $bad
