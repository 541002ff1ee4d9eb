# Candidates of one prompt, their rewards, and how much each read of every prompt token.
#
#   cagsr-cat -t -F cand,reward,rewards,text,prompt,prompt_ends,attn.rows FILE |
#       LC_ALL=C awk -f show.awk [-v color=1] [-v notes=coverage,focus] [-v after=TEXT]
#
# A token is shaded by the largest attention that any step but the first gave it: what
# the reward's coverage looks at.  Without colour, tokens with at least a tenth carry the
# percentage.  With `after` only the prompt behind the last TEXT is shown.

BEGIN {
    FS = "\t"
    shades = split("236 237 24 25 31 37 43 49", shade, " ")
    components = split(notes == "" ? "coverage,focus,coherence,repetition,copy" : notes, want, ",")
}

NR == 1 {
    for (i = 1; i <= NF; i++)
        column[$i] = i
    next
}

{
    tokens = ends($(column["prompt_ends"]))
    best($(column["attn.rows"]))
    printf "  %s  reward %6.2f  %s\n", $(column["cand"]), $(column["reward"]), quoted($(column["text"]))
    printf "     %s\n", parts($(column["rewards"]))
    printf "     %s\n\n", shaded($(column["prompt"]))
}

# end[1..n]: byte offsets.
function ends(json,    n, i)
{
    gsub(/[^0-9,]/, "", json)
    n = split(json, end, ",")
    for (i = 1; i <= n; i++)
        end[i] += 0
    return n
}

# most[j]: the largest value in column j over rows 2, 3, ... (row 1 if it is alone).
function best(json,    rows, row, cell, T, t, j, P)
{
    sub(/^.*"data":[ ]*/, "", json)
    gsub(/[][{}" ]*$/, "", json)
    gsub(/\][ ]*,[ ]*\[/, "|", json)
    gsub(/[][ ]/, "", json)
    T = split(json, row, "|")
    for (j in most)
        delete most[j]
    for (t = T > 1 ? 2 : 1; t <= T; t++) {
        P = split(row[t], cell, ",")
        for (j = 1; j <= P; j++)
            if (cell[j] + 0 > most[j] + 0)
                most[j] = cell[j] + 0
    }
}

function shaded(prompt,    j, from, piece, out, k, tail, skip)
{
    prompt = unescaped(prompt)
    skip = 0
    while (after != "" && (k = index(substr(prompt, skip + 1), after)) > 0)
        skip += k + length(after) - 1
    from = 0
    for (j = 1; j <= tokens; j++) {
        piece = substr(prompt, from + 1, end[j] - from)
        from = end[j]
        if (piece == "" || from <= skip)
            continue
        if (!color) {
            tail = most[j] >= 0.095 ? sprintf("(%d)", 100 * most[j] + 0.5) : ""
            out = out printable(piece) tail
            continue
        }
        k = 1 + int(most[j] * shades * 1.5)
        if (k > shades)
            k = shades
        out = out sprintf("\033[48;5;%dm%s\033[0m", shade[k], printable(piece))
    }
    return out
}

# rewards is a JSON map of numbers.
function parts(json,    i, name, rest, out)
{
    for (i = 1; i <= components; i++) {
        name = "\"" want[i] "\":"
        if (!index(json, name))
            continue
        rest = substr(json, index(json, name) + length(name))
        sub(/^[ ]*([{]"[$]f..":[ ]*)?/, "", rest)
        sub(/[,}].*$/, "", rest)
        out = out sprintf("%s%s %s", out == "" ? "" : "  ", want[i],
            rest == "null" ? "-" : sprintf("%.3f", rest))
    }
    return out
}

# The table writes a backslash before n, t, r, x and itself.
function unescaped(s,    out, k, c)
{
    out = ""
    while ((k = index(s, "\\")) > 0) {
        c = substr(s, k + 1, 1)
        out = out substr(s, 1, k - 1) (c == "n" ? "\n" : c == "t" ? "\t" : c == "\\" ? c : " ")
        s = substr(s, k + (c == "x" ? 4 : 2))
    }
    return out s
}

# Here the escapes stay as they are: one line to a candidate.
function quoted(s)
{
    return "'" (length(s) > 160 ? substr(s, 1, 157) "..." : s) "'"
}

function printable(s)
{
    gsub(/[\001-\037]/, " ", s)
    return s
}
