# Candidates of one prompt, their rewards, and how much each read of every prompt token.
#
#   cagsr-cat -t -F cand,reward,rewards,text,prompt,prompt_ends,prompt_mask,attn.rows FILE |
#       LC_ALL=C awk -f show.awk [-v color=1] [-v notes=coverage,focus]
#
# A token is shaded by the largest attention that any step but the first gave it (what the
# reward's coverage looks at), against the most that any of the user's tokens got.  Without
# colour, tokens with at least half of that carry it, in percent.  Only what the user wrote
# is shown, not the template around it.

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
    mask($(column["prompt_mask"]))
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

# The user's tokens, shaded; user[j] is 1 for them.
function shaded(prompt,    j, from, piece, out, k, top)
{
    prompt = unescaped(prompt)
    top = 1e-9
    for (j = 1; j <= tokens; j++)
        if (user[j] && most[j] + 0 > top)
            top = most[j] + 0
    from = 0
    for (j = 1; j <= tokens; j++) {
        piece = printable(substr(prompt, from + 1, end[j] - from))
        from = end[j]
        if (piece == "" || !user[j])
            continue
        if (!color) {
            out = out piece (most[j] >= top / 2 ? sprintf("(%d)", 100 * most[j] + 0.5) : "")
            continue
        }
        k = 1 + int(most[j] / top * (shades - 1) + 0.5)
        out = out sprintf("\033[48;5;%dm%s\033[0m", shade[k], piece)
    }
    sub(/^ */, "", out)
    return out
}

# prompt_mask in base64: bytes of 0 and 1, one to a token.
function mask(text,    digits, i, bits, n, b)
{
    digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    gsub(/[^A-Za-z0-9+\/]/, "", text)
    n = b = 0
    for (i = 1; i <= length(text); i++) {
        bits = bits * 64 + index(digits, substr(text, i, 1)) - 1
        b += 6
        if (b < 8)
            continue
        b -= 8
        user[++n] = int(bits / 2 ^ b)
        bits %= 2 ^ b
    }
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
