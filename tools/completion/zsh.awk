# zsh completion out of what `TOOL --completion` prints for each tool, with the tool's name in
# front of each line: options with their help, choices, files.
BEGIN { FS = "\t" }
$1 != tool { tool = $1; tools = tools " " tool; order[++n] = tool }
{
    help = $7
    gsub(/[][\\:]/, "\\\\&", help)
    gsub(/'/, "'\\''", help)
    what = $5
    gsub(/[][\\:]/, "\\\\&", what)
    value = $4 == "-" ? "" : ($4 == "?" ? "::" : ":") what ":" ($6 != "" ? "(" $6 ")" : "_files")
    long = "--" $2 ($4 == "?" ? "=-" : $4 == "+" ? "=" : "")
    if ($3 == "-")
        spec = "'" long "[" help "]" value "'"
    else
        spec = "'(-" $3 " --" $2 ")'{-" $3 "," long "}'[" help "]" value "'"
    specs[tool] = specs[tool] " \\\n            " spec
}
END {
    print "#compdef" tools
    print "# Completion of the cagsr tools for zsh; made from their option tables."
    print "case $service in"
    for (i = 1; i <= n; i++)
        printf "    %s)\n        _arguments -s%s \\\n            '*:file:_files'\n        ;;\n", order[i], specs[order[i]]
    print "esac"
}
