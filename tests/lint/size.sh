# No source over 600 lines.  Functions over 60 lines are told, and no fault.
find libcore tools tests -name '*.[ch]' -o -path 'tools/*.sh' -o -path 'tests/*.sh' | sort |
    xargs awk '
FNR == 1 { if (NR > 1) check_file(); file = FILENAME; inside = 0; fence = "" }
{ last = FNR; text = $0 }
/^\{/ && FILENAME ~ /\.c$/ { begin = FNR; inside = 1 }
/^\}/ && inside {
    inside = 0
    if (FNR - begin + 1 > 60)
        printf "%s:%d: note: a function of %d lines, think again at 60\n", FILENAME, begin,
            FNR - begin + 1
}
function check_file() {
    if (last > 600) {
        printf "%s:%d: %d lines, at most 600\n", file, last, last
        bad = 1
    }
}
END { check_file(); exit bad }'
