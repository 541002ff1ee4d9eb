# The prompts of step k: each epoch is a shuffle of all lines, a function of seed and epoch.
function below(n)
{
    state = (state * 48271) % 2147483647
    return int(n * ((state - 1) / 2147483646))
}
/[^ \t\r]/ { line[n++] = $0 }
END {
    per_epoch = int(n / batch)
    epoch = int((k - 1) / per_epoch)
    at = (k - 1 - epoch * per_epoch) * batch
    state = (seed * 7919 + epoch * 104729 + 12345) % 2147483647
    if (state <= 0)
        state = 1
    for (i = 0; i < 8; i++)
        below(2)
    for (i = n - 1; i > 0; i--) {
        j = below(i + 1)
        t = line[i]; line[i] = line[j]; line[j] = t
    }
    for (i = at; i < at + batch; i++)
        print line[i]
}
