# results.tsv to TO/SYSTEM/SEED/metrics.tsv, the tables of metrics that cagsr-view reads: what
# was sampled at temperature 1, a row for each step.  Every system begins as the start, at step
# 0; the best of N has N for a step, and no steps of a run.
BEGIN { FS = OFS = "\t" }
NR == 1 || $5 != "t1" { next }
{
    run = $2 SUBSEP $1
    if (!(run in seen)) { seen[run]; runs[++n] = run }
    if (!((run, $3) in at)) { at[run, $3]; steps[run, ++many[run]] = $3 }
    value[run, $3, $6] = $6 == "kl" ? $4 : $7
    value[run, $3, "kl"] = $4
    if (!($6 in metric)) { metric[$6]; names[++m] = $6 }
}
function put(file, step, run, from,    k, line)
{
    line = step
    for (k = 1; k <= m; k++) line = line OFS value[run, from, names[k]]
    print line >file
}
END {
    head = "step"
    for (k = 1; k <= m; k++) head = head OFS names[k]
    for (i = 1; i <= n; i++) {
        split(runs[i], part, SUBSEP)
        file = to "/" part[1] "/" part[2] "/metrics.tsv"
        start = "start" SUBSEP part[2]
        print head >file
        if (part[1] != "start" && (start, 0) in at) put(file, 0, start, 0)
        for (k = 1; k <= many[runs[i]]; k++) put(file, steps[runs[i], k], runs[i], steps[runs[i], k])
        close(file)
    }
}
