# Pairs without labels, as lines of JSON for cagsr-update --algo rm:
#     awk -f synthetic-pairs.awk -v n=N -v seed=S ANSWERS COOL HOT
#
# The three are tables of prompt_ids and ids (cagsr-cat -t), the latter two line by line for
# the same prompts.  In turns: an answer before another prompt's; before itself spoilt
# (shuffled, cut in half, its beginning again and again); one drawn at a low temperature
# before one at a high one.
BEGIN { FS = "\t"; state = (seed * 7919 + 12345) % 2147483647 }
FNR == 1 { file++; rows[file] = 0; next }
split($2, unused, ",") > 1 { k = ++rows[file]; prompt[file, k] = $1; ids[file, k] = $2 }
END {
    if (!rows[1] || !rows[2] || !rows[3]) {
        print "synthetic-pairs: no answers" > "/dev/stderr"
        exit 1
    }
    for (i = 0; i < n; i++)
        if (i % 3 == 0)
            mismatch()
        else if (i % 3 == 1)
            spoilt()
        else
            temperature()
}

function below(k) { state = (state * 48271) % 2147483647; return int(k * ((state - 1) / 2147483646)) }

function pair(prompt, chosen, rejected)
{
    printf "{\"prompt_ids\":%s,\"chosen_ids\":%s,\"rejected_ids\":%s}\n", prompt, chosen, rejected
}

function mismatch(    a, b, tries)
{
    a = 1 + below(rows[1])
    do b = 1 + below(rows[1]); while (prompt[1, a] == prompt[1, b] && ++tries < 1000)
    pair(prompt[1, a], ids[1, a], ids[1, b])
}

function spoilt(    a, part, k, list, how)
{
    a = 1 + below(rows[1])
    list = ids[1, a]
    gsub(/[][ ]/, "", list)
    k = split(list, part, ",")
    how = below(3)
    pair(prompt[1, a], ids[1, a], how == 0 ? shuffled(part, k) : how == 1 ? cut(part, k) : looped(part, k))
}

function list_of(part, k,    i, s)
{
    for (i = 1; i <= k; i++)
        s = s (i > 1 ? "," : "") part[i]
    return "[" s "]"
}

function shuffled(part, k,    i, j, t)
{
    for (i = k; i > 1; i--) {
        j = 1 + below(i)
        t = part[i]; part[i] = part[j]; part[j] = t
    }
    return list_of(part, k)
}

function cut(part, k) { return list_of(part, int((k + 1) / 2)) }

function looped(part, k,    i, period)
{
    period = k > 6 ? 3 : 1
    for (i = period + 1; i <= k; i++)
        part[i] = part[i - period]
    return list_of(part, k)
}

function temperature(    a)
{
    a = 1 + below(rows[2] < rows[3] ? rows[2] : rows[3])
    pair(prompt[2, a], ids[2, a], ids[3, a])
}
