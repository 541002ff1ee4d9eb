#!/bin/sh
# OUT/results.tsv of the cells that are done, and OUT/table.tsv: the last step of each system,
# mean over seeds and its range, best first by the settings' first metric.  report.sh OUT
set -eu
out=$1
{
    printf 'seed\tsystem\tstep\tkl\tdecoding\tmetric\tvalue\tlow\thigh\n'
    cat "$out"/*/*/rows.tsv 2>/dev/null || :
} >"$out/results.tsv.new"
mv "$out/results.tsv.new" "$out/results.tsv"
awk -F '\t' -v OFS='\t' '
    NR == 1 { next }
    {
        key = $2 SUBSEP $5 SUBSEP $6
        if (!(key in last) || $3 > last[key])
            last[key] = $3
        value[key, $3, $1] = $7
        seed[$1]
        if (!($6 in metric)) { metric[$6]; names[++m] = $6 }
        if (!(($2, $5) in row)) { row[$2, $5]; rows[++r] = $2 SUBSEP $5 }
    }
    END {
        printf "system\tdecoding\tseeds"
        for (k = 1; k <= m; k++) printf "\t%s", names[k]
        print ""
        for (i = 1; i <= r; i++) {
            split(rows[i], part, SUBSEP)
            line = ""
            most = 0
            for (k = 1; k <= m; k++) {
                key = rows[i] SUBSEP names[k]
                n = sum = 0
                low = high = ""
                for (s in seed)
                    if ((key, last[key], s) in value) {
                        v = value[key, last[key], s]
                        n++; sum += v
                        if (low == "" || v < low) low = v
                        if (high == "" || v > high) high = v
                    }
                line = line (n ? sprintf("\t%.3f [%.3f, %.3f]", sum / n, low, high) : "\t-")
                if (n > most) most = n
            }
            print part[1], part[2], most line
        }
    }' "$out/results.tsv" >"$out/table.tsv.new"
mv "$out/table.tsv.new" "$out/table.tsv"
