# Lines WHO WORK SECONDS UNITS PEAK_KB to a table: medians, and last ours over theirs, with
# float32 and with bf16 weights.  A
# work that has no peer of its own name is set beside the one its name begins with
# (step-files and step-own beside TRL's step).
function median(key, n,    i, j, t, v) {
    for (i = 1; i <= n; i++)
        v[i] = seconds[key, i]
    for (i = 2; i <= n; i++)
        for (j = i; j > 1 && v[j - 1] > v[j]; j--) {
            t = v[j]
            v[j] = v[j - 1]
            v[j - 1] = t
        }
    return n % 2 ? v[(n + 1) / 2] : (v[n / 2] + v[n / 2 + 1]) / 2
}
function rate(key,    s) {
    s = median(key, count[key])
    return s > 0 ? units[key] / s : 0
}
# Ours over theirs, where ours is there.
function ratio(ours, work, peer, base) {
    return (ours, work) in count ? sprintf("%.2f", rate(ours SUBSEP work) / rate(peer SUBSEP base)) : ""
}
function row(work, who, full, half,    key) {
    key = who SUBSEP work
    printf "%s\t%s\t%d\t%.4g\t%.5g\t%.0f\t%s\t%s\n", work, who, count[key],
        median(key, count[key]), rate(key), peak[key] / 1024, full, half
}
NF == 5 && $3 ~ /^[0-9]+(\.[0-9]+)?$/ {
    key = $1 SUBSEP $2
    if (!(key in count)) {
        if (!($2 in seen))
            order[++works] = $2
        if (!($1 in known))
            peers[++npeers] = $1
        seen[$2] = known[$1] = 1
    }
    seconds[key, ++count[key]] = $3
    units[key] = $4
    peak[key] = $5 > peak[key] ? $5 : peak[key]
}
END {
    print "work\twho\tn\tseconds\tunits/s\tpeak MiB\tours / theirs\tbf16 / theirs"
    for (w = 1; w <= works; w++) {
        work = base = order[w]
        sub(/-files$/, "", base)
        sub(/-own$/, "", base)
        for (p = 1; p <= npeers; p++)
            if (peers[p] ~ /^ours/ && (peers[p], work) in count)
                row(work, peers[p], "", "")
        for (p = 1; p <= npeers; p++)
            if (peers[p] !~ /^ours/ && (peers[p], base) in count)
                row(base, peers[p], ratio("ours", work, peers[p], base),
                    ratio("ours-bf16", work, peers[p], base))
    }
}
