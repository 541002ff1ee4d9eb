# results.tsv to table.tsv: a line for each system and decoding with its last step, a column for
# each metric, best first by the first of them.  A cell is the mean over seeds with their range;
# of one seed its value with its interval over prompts, where one was measured.
BEGIN { FS = OFS = "\t" }
NR == 1 { next }
{
    # The divergence of the best of N is known, not measured.
    x = $6 == "kl" && $5 == "t1" ? $4 : $7
    key = $2 SUBSEP $5 SUBSEP $6
    if (!(key in last) || $3 > last[key])
        last[key] = $3
    value[key, $3, $1] = x
    low_of[key, $3, $1] = $8
    high_of[key, $3, $1] = $9
    seed[$1]
    if (!($6 in metric)) { metric[$6]; names[++m] = $6 }
    if (!(($2, $5) in row)) { row[$2, $5]; rows[++r] = $2 SUBSEP $5 }
}
# Sets n, sum, low, high of a key at its last step.
function gather(key,    s, v, at)
{
    n = sum = 0
    low = high = ""
    for (s in seed) {
        if (!((key, last[key], s) in value))
            continue
        v = value[key, last[key], s] + 0
        n++
        sum += v
        if (low == "" || v < low) low = v
        if (high == "" || v > high) high = v
        at = last[key] SUBSEP s
    }
    if (n == 1) {
        low = low_of[key, at]
        high = high_of[key, at]
    }
}
function form(    interval)
{
    interval = low == "" || high == "" ? "" : sprintf(" [%.3f, %.3f]", low, high)
    return n ? sprintf("%.3f", sum / n) interval : "-"
}
function better(a, b)
{
    return score[a] > score[b] || (score[a] == score[b] && rows[a] < rows[b])
}
END {
    printf "system\tdecoding\tseeds"
    for (k = 1; k <= m; k++) printf "\t%s", names[k]
    print ""
    for (i = 1; i <= r; i++) {
        line = ""
        most = 0
        for (k = 1; k <= m; k++) {
            gather(rows[i] SUBSEP names[k])
            line = line OFS form()
            if (k == 1) score[i] = n ? sum / n : -1e300
            if (n > most) most = n
        }
        split(rows[i], part, SUBSEP)
        text[i] = part[1] OFS part[2] OFS most line
        for (k = i; k > 1 && better(i, order[k - 1]); k--) order[k] = order[k - 1]
        order[k] = i
    }
    for (i = 1; i <= r; i++) print text[order[i]]
}
