# Metric records as JSON lines to "name=value ..." lines.
function number(name,    k, rest)
{
    k = index($0, "\"" name "\":")
    if (!k)
        return ""
    rest = substr($0, k + length(name) + 3)
    sub(/^[ ]*/, "", rest)
    sub(/[,}].*$/, "", rest)
    return rest
}
function show(label, name, form,    v)
{
    v = number(name)
    if (v != "" && v != "null")
        printf " %s=" form, label, v
}
{
    printf "step=%d", number("step")
    show("reward", "reward", "%.4f")
    line = $0
    while (match(line, /"rewards\/[^"]*\/mean":/)) {
        name = substr(line, RSTART + 1, RLENGTH - 3)
        line = substr(line, RSTART + RLENGTH)
        label = name
        sub(/^rewards\//, "", label)
        sub(/\/mean$/, "", label)
        show(label, name, "%.4f")
    }
    show("kl", "objective/kl", "%.4f")
    show("length", "completions/mean_length", "%.1f")
    print ""
    fflush()
}
