# growth.tsv to SVG: microseconds a token against x, both axes logarithmic; a panel for
# each x ("context", "rows", ...), a line for each series, numbers at both ends.
BEGIN {
    FS = "\t"
    W = 250
    H = 190
    n = split("#1b6ca8 #c0392b #2e7d32 #8e44ad #b9770e", colour, " ")
}
function lg(v) { return log(v) / log(10) }
FNR > 1 && $3 > 0 {
    split($1, part, ", ")
    p = part[2]
    if (!(p in lines))
        panel[++panels] = p
    if (!(($1) in points))
        line[p, ++lines[p]] = $1
    i = ++points[$1]
    x[$1, i] = lg($2)
    y[$1, i] = lg($3)
    if (!(p in xmin) || x[$1, i] < xmin[p]) xmin[p] = x[$1, i]
    if (!(p in xmax) || x[$1, i] > xmax[p]) xmax[p] = x[$1, i]
    if (!(p in ymin) || y[$1, i] < ymin[p]) ymin[p] = y[$1, i]
    if (!(p in ymax) || y[$1, i] > ymax[p]) ymax[p] = y[$1, i]
}
function px(p, v) { return left + 50 + (W - 110) * (v - xmin[p]) / (xmax[p] > xmin[p] ? xmax[p] - xmin[p] : 1) }
function py(p, v) { return 160 - 120 * (v - ymin[p]) / (ymax[p] > ymin[p] ? ymax[p] - ymin[p] : 1) }
function text(at_x, at_y, anchor, fill, what) {
    printf "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" fill=\"%s\">%s</text>\n", at_x, at_y,
        anchor, fill, what
}
function draw(p, k,    s, c, i) {
    s = line[p, k]
    c = colour[(k - 1) % n + 1]
    printf "<polyline fill=\"none\" stroke=\"%s\" points=\"", c
    for (i = 1; i <= points[s]; i++)
        printf "%.1f,%.1f ", px(p, x[s, i]), py(p, y[s, i])
    print "\"/>"
    i = points[s]
    text(px(p, x[s, 1]) - 4, py(p, y[s, 1]) + 4, "end", c, sprintf("%.4g", 10 ^ y[s, 1]))
    text(px(p, x[s, i]) + 4, py(p, y[s, i]) + 4, "start", c,
        sprintf("%.4g %s", 10 ^ y[s, i], substr(s, 1, index(s, ",") - 1)))
}
END {
    printf "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" " \
        "font-family=\"sans-serif\" font-size=\"10\">\n", W * panels, H
    for (i = 1; i <= panels; i++) {
        p = panel[i]
        left = (i - 1) * W
        text(left + W / 2, 18, "middle", "black", "microseconds a token against " p)
        text(px(p, xmin[p]), 180, "middle", "black", sprintf("%.4g", 10 ^ xmin[p]))
        text(px(p, xmax[p]), 180, "middle", "black", sprintf("%.4g", 10 ^ xmax[p]))
        for (k = 1; k <= lines[p]; k++)
            draw(p, k)
    }
    print "</svg>"
}
