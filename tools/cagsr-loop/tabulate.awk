# Lines "name=value ..." as a table with a column for each name.
{
    row = ""
    for (i = 1; i <= NF; i++) {
        k = index($i, "=")
        name = substr($i, 1, k - 1)
        if (!(name in at)) {
            at[name] = ++columns
            head = head (head == "" ? "" : "\t") name
        }
        cell[NR, at[name]] = substr($i, k + 1)
    }
}
END {
    if (!NR)
        exit
    print head
    for (r = 1; r <= NR; r++) {
        row = cell[r, 1]
        for (c = 2; c <= columns; c++)
            row = row "\t" cell[r, c]
        print row
    }
}
