# Lines "name=value ..." as metric records, in JSON: every number but the step with
# "eval/" before its name.
{
    out = "{\"kind\":\"metric\""
    for (i = 1; i <= NF; i++) {
        k = index($i, "=")
        name = substr($i, 1, k - 1)
        value = substr($i, k + 1)
        if (k < 2 || value !~ /^-?[0-9]+(\.[0-9]*)?([eE][-+]?[0-9]+)?$/)
            continue
        sub(/\.$/, "", value)
        gsub(/["\\]/, "_", name)
        out = out ",\"" (name == "step" ? "" : "eval/") name "\":" value
    }
    print out "}"
}
