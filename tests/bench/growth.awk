# growth.tsv to SVG: time of a token against x, both axes logarithmic; a panel for each x
# ("context", "rows", ...), a line for each series, its name and last number behind it.
BEGIN {
    FS = "\t"
    W = 330; H = 230 # of a panel; within it, the lines' area:
    left = 48; right = 112; top = 34; bottom = 32
    split("#1b6ca8 #c0392b #2e7d32 #8e44ad #b9770e", colour, " ")
    split("1 10 100 1000 10000 100000 1000000", decade, " ")
}
function lg(v) { return log(v) / log(10) }
function least(a, b) { return a == "" || b < a ? b : a }
function most(a, b) { return a == "" || b > a ? b : a }
FNR > 1 && $3 > 0 {
    split($1, part, ", ")
    p = part[2]
    if (!(p in lines)) panel[++panels] = p
    if (!(($1) in points)) line[p, ++lines[p]] = $1
    i = ++points[$1]
    x[$1, i] = lg($2); y[$1, i] = lg($3)
    if (!((p, $2) in tick)) tick[p, $2] = mark[p, ++marks[p]] = $2
    xmin[p] = least(xmin[p], x[$1, i]); xmax[p] = most(xmax[p], x[$1, i])
    ymin[p] = least(ymin[p], y[$1, i]); ymax[p] = most(ymax[p], y[$1, i])
}

# 134.812 is 135 us, 29300 is 29.3 ms.
function duration(us) {
    if (us < 1000) return sprintf("%.3g µs", us)
    return us < 1e6 ? sprintf("%.3g ms", us / 1000) : sprintf("%.3g s", us / 1e6)
}
function count(n) {
    return n >= 9.5e8 ? sprintf("%.2g G", n / 1e9) : n >= 1e6 ? sprintf("%.3g M", n / 1e6) : n
}
function share(v, from, to) { return to > from ? (v - from) / (to - from) : .5 }
function px(p, v) { return x0 + left + (W - left - right) * share(v, xmin[p], xmax[p]) }
function py(p, v) { return y0 + H - bottom - (H - top - bottom) * share(v, ymin[p], ymax[p]) }
function text(at_x, at_y, anchor, fill, what) {
    printf "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" fill=\"%s\">%s</text>\n", at_x, at_y,
        anchor, fill, what
}
function rule(x1, y1, x2, y2) {
    printf "<path d=\"M%.1f %.1fL%.1f %.1f\" stroke=\"#ddd\"/>\n", x1, y1, x2, y2
}

function axes(p,    i, v) {
    ymin[p] = ymin[p] - .1; ymax[p] = ymax[p] + .1
    text(x0 + left, y0 + 16, "start", "black", "a token, against " p)
    for (i = 1; i in decade; i++)
        if ((v = lg(decade[i])) >= ymin[p] && v <= ymax[p]) {
            rule(px(p, xmin[p]), py(p, v), px(p, xmax[p]), py(p, v))
            text(x0 + left - 6, py(p, v) + 4, "end", "#555", duration(decade[i]))
        }
    for (i = 1; i <= marks[p]; i++) {
        v = lg(mark[p, i])
        rule(px(p, v), y0 + top, px(p, v), y0 + H - bottom)
        text(px(p, v), y0 + H - bottom + 14, "middle", "#555", count(mark[p, i]))
    }
}

# Where the names stand: at their lines' ends, from above, at least 13 apart.
function place(p,    i, j, t, s) {
    for (i = 1; i <= lines[p]; i++) {
        s = line[p, i]
        order[i] = s
        at[s] = py(p, y[s, points[s]]) + 4
        for (j = i; j > 1 && at[order[j - 1]] > at[order[j]]; j--) {
            t = order[j]; order[j] = order[j - 1]; order[j - 1] = t
        }
    }
    for (i = 2; i <= lines[p]; i++)
        if (at[order[i]] < at[order[i - 1]] + 13) at[order[i]] = at[order[i - 1]] + 13
}

function draw(p,    i, j, s, path) {
    axes(p)
    place(p)
    for (i = 1; i <= lines[p]; i++) {
        s = line[p, i]
        path = ""
        for (j = 1; j <= points[s]; j++)
            path = path sprintf("%s%.1f %.1f", j == 1 ? "M" : "L", px(p, x[s, j]), py(p, y[s, j]))
        printf "<path d=\"%s\" fill=\"none\" stroke=\"%s\" stroke-width=\"1.5\"/>\n", path, colour[i]
        split(s, part, ", ")
        text(px(p, xmax[p]) + 6, at[s], "start", colour[i],
            part[1] " " duration(10 ^ y[s, points[s]]))
    }
}
END {
    rows = int((panels + 2) / 3)
    printf "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\"", 3 * W, rows * H
    print " font-family=\"sans-serif\" font-size=\"11\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>"
    for (k = 1; k <= panels; k++) {
        x0 = (k - 1) % 3 * W; y0 = int((k - 1) / 3) * H
        draw(panel[k])
    }
    print "</svg>"
}
