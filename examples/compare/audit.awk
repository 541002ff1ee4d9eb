# Tables of audit.sh: the files that it leaves, NAME.tsv, given in the order in which rewards are
# to stand.  A star: the interval leaves out the number that says nothing; what fewer than six
# prompts say is left out, as it may be chance.
BEGIN { FS = "\t" }
FNR == 1 { part = FILENAME; sub(/.*\//, "", part); sub(/\.tsv$/, "", part); files[++nfiles] = part; next }
{
    key = $1 SUBSEP part SUBSEP $2 SUBSEP $3
    if ($7 >= 6) { value[key] = $4; low[key] = $5; high[key] = $6 }
    if (!(($1, $3) in seen)) { seen[$1, $3] = 1; columns[$1, ++ncolumns[$1]] = $3 }
    if (!(($1, part, $2) in row)) { row[$1, part, $2] = 1; rows[$1, part, ++nrows[$1, part]] = $2 }
}

function cell(table, part, of, with, nothing, form,    key, star) {
    key = table SUBSEP part SUBSEP of SUBSEP with
    if (!(key in value)) return ""
    star = low[key] > nothing || high[key] < nothing ? "*" : ""
    return sprintf(form " [" form ", " form "]%s", value[key], low[key], high[key], star)
}

# What of a file's rows is worth a line: of the default one all, of the others what differs.
function wanted(part, of) {
    return part == "default" || of == "reward" || (part != "literal" && of == "coverage")
}

function print_table(table, title, nothing, form,    f, i, c, of, text, any, line, rule) {
    if (!ncolumns[table]) return
    printf "\n%s\n\n", title
    line = "| |"; rule = "|---|"
    for (c = 1; c <= ncolumns[table]; c++) { line = line " " columns[table, c] " |"; rule = rule "---|" }
    print line "\n" rule
    for (f = 1; f <= nfiles; f++)
        for (i = 1; i <= nrows[table, files[f]]; i++) {
            of = rows[table, files[f], i]
            if (!wanted(files[f], of)) continue
            line = "| " (files[f] == "default" ? of : files[f] ": " of) " |"
            any = ""
            for (c = 1; c <= ncolumns[table]; c++) {
                text = cell(table, files[f], of, columns[table, c], nothing, form)
                any = any text
                line = line " " text " |"
            }
            if (any != "") print line
        }
}

END {
    print_table("spearman", "Spearman's correlation inside a prompt", 0, "%+.2f")
    print_table("partial", "The same, given length, log p (`ref`) and mention of the prompt's words (`lexical`)", 0, "%+.2f")
    print_table("auroc", "Own answers above corrupted ones, AUROC", 0.5, "%.2f")
    print_table("best_of", "Best of N by the reward, less the mean", 0, "%.3f")
}
