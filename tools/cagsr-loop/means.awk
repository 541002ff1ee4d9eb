# Scored records as JSON lines to one line: the means of what they carry.
{
    line = $0
    if (match(line, /"ids":\[[^]]*\]/)) {
        ids = substr(line, RSTART + 6, RLENGTH - 6)
        length_sum += gsub(/[0-9]+/, "", ids)
        records++
    }
    while (match(line, /"[A-Za-z0-9_.-]+":[ ]*-?[0-9][-+0-9.eE]*/)) {
        pair = substr(line, RSTART + 1, RLENGTH - 1)
        line = substr(line, RSTART + RLENGTH)
        name = substr(pair, 1, index(pair, "\"") - 1)
        value = substr(pair, index(pair, ":") + 1) + 0
        if (!(name in count))
            order[++names] = name
        sum[name] += value
        count[name]++
    }
}
END {
    for (i = 1; i <= names; i++)
        printf "%s=%.4f ", order[i], sum[order[i]] / count[order[i]]
    printf "length=%.1f\n", records ? length_sum / records : 0
}
