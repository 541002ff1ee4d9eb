# Public headers document every function: a paragraph of a header that declares one holds
# a comment (one comment may stand for the few functions below it; the essay on top of the
# header may stand for its first function).  private.h and impl.h
# are held to it, too: somebody reads them.
find libcore -name '*.h' ! -name banned.h | sort | xargs awk '
function flush() {
    if (prototype && !comment && !(first && essay > 4)) {
        printf "%s:%d: %s is declared without a comment\n", file, at, name
        bad = 1
    }
    if (prototype)
        first = 0
    prototype = comment = 0
}
FNR == 1 { flush(); file = FILENAME; first = 1; essay = top = 0 }
FNR == 1 && /^\/\*/ { top = 1 }
top { essay++ }
/\*\// { top = 0 }
/^[ \t]*$/ { if (!in_comment) flush(); next }
/\/\*/ { comment = 1; in_comment = 1 }
/\*\// { in_comment = 0; next }
in_comment { next }
/^[a-z].*[a-z0-9_]\(/ && !/^(typedef|static|struct [a-z_]+ \{|enum)/ && !prototype {
    prototype = 1
    at = FNR
    name = $0
    sub(/\(.*/, "", name)
    sub(/.*[ *]/, "", name)
}
END { flush(); exit bad }'
