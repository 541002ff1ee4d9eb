# report.html: results.tsv (which seeds and how many numbers), the pictures in the file
# `pictures`, and table.tsv as tables, one for each decoding.
BEGIN { FS = "\t" }
function escaped(text)
{
    gsub(/&/, "\\&amp;", text)
    gsub(/</, "\\&lt;", text)
    gsub(/>/, "\\&gt;", text)
    return text
}
FNR == 1 { file++ }
# The first metric, then reward and kl, then the others as they come.
FNR == 1 && file == 2 {
    for (k = 4; k <= NF; k++) name[k] = $k
    column[++columns] = 4
    for (k = 5; k <= NF; k++) if ($k == "reward" || $k == "kl") column[++columns] = k
    for (k = 5; k <= NF; k++) if ($k != "reward" && $k != "kl") column[++columns] = k
}
FNR == 1 { next }
file == 1 {
    if (!($1 in seed)) { seed[$1]; seeds = seeds (seeds == "" ? "" : ", ") $1; many++ }
    if (!($2 in known)) { known[$2]; systems++ }
    next
}
{
    if (!($2 in rows)) decodings[++d] = $2
    rows[$2] = rows[$2] row()
}
function row(    k, text, cell, at)
{
    text = "<tr><th scope=\"row\">" escaped($1) "</th><td>" $3 "</td>"
    for (k = 1; k <= columns; k++) {
        cell = $column[k]
        at = index(cell, " ")
        text = text "<td>" (at ? substr(cell, 1, at - 1) "<small>" substr(cell, at + 1) "</small>" : cell) "</td>"
    }
    return text "</tr>\n"
}
function table(decoding,    k)
{
    print "<div><table><caption>" escaped(said[decoding] != "" ? said[decoding] : decoding) "</caption><thead><tr>"
    print "<th scope=\"col\">system</th><th scope=\"col\">seeds</th>"
    for (k = 1; k <= columns; k++) print "<th scope=\"col\">" escaped(name[column[k]]) "</th>"
    print "</tr></thead><tbody>\n" rows[decoding] "</tbody></table></div>"
}
END {
    said["t1"] = "Sampled at temperature 1"
    said["t0.7"] = "Sampled at temperature 0.7: what choosing likelier tokens does without training"
    said["greedy"] = "Near-greedy: temperature 0.1"
    print "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
    print "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
    print "<meta name=\"viewport\" content=\"width=device-width\"><title>Systems side by side</title><style>"
    print ":root{color-scheme:light dark}"
    print "body{font:15px/1.5 system-ui,'DejaVu Sans',Arial,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    print "h2{margin-top:2.5rem}figure{margin:1rem 0;overflow-x:auto}figure svg{max-width:100%;height:auto}"
    print "div{overflow-x:auto;margin:1.5rem 0}table{border-collapse:collapse;font-size:13px}"
    print "caption{text-align:left;font-weight:bold;padding:.3rem 0}"
    print "td,th{padding:.25rem .6rem;text-align:right;border-bottom:1px solid #8884;white-space:nowrap;vertical-align:top}"
    print "th[scope=row]{text-align:left;position:sticky;left:0;background:Canvas}th[scope=col]:first-child{text-align:left}"
    print "td small{display:block;opacity:.7;font-size:11px}"
    print "</style></head><body><main><h1>Systems side by side</h1>"
    printf "<p>%d systems; seed%s %s. Equal budgets of samples and updates; held-out prompts; ", systems, many == 1 ? "" : "s", escaped(seeds)
    print "no system was trained on what is measured here, but for <code>reward</code>: the default reward, by the attention of the frozen start."
    print "<code>kl</code>: divergence from the start, nats an answer. Choosing the best of 2, 4, 8 answers of the start stands beside the trained systems."
    print (many > 1 ? "Bands: one standard deviation over seeds." : "One seed shows directions, no more.") "</p>"
    while ((getline line <pictures) > 0) print line
    print "<h2>All numbers</h2><p>After the last update, best first by the first column. "
    print (many > 1 ? "Means over seeds, below them the range over seeds." : "Below a number its 95 % interval over prompts, where one was measured.") "</p>"
    split("t1 t0.7 greedy", first, " ")
    for (i = 1; i <= 3; i++) if (first[i] in rows) { table(first[i]); done[first[i]] }
    for (i = 1; i <= d; i++) if (!(decodings[i] in done)) table(decodings[i])
    print "</main></body></html>"
}
