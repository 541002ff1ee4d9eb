# Lines "name=value ..." and tables of cagsr-eval -F tsv to one line.
BEGIN { FS = "\t" }
/^metric\tmean/ { table = 1; next }
table && NF > 1 { add($1 "=" $2); next }
{ add($0) }
function add(words)
{
    line = line (line == "" || words == "" ? "" : " ") words
}
END { print line }
