# bash completion out of what `TOOL --completion` prints for each tool (name, letter, what
# follows, its name, choices, help), with the tool's name in front of each line.  Options and
# choices are offered; whatever else, files.
BEGIN { FS = "\t"; print "# Completion of the cagsr tools for bash; made from their option tables." }
$1 != tool { finish(); tool = $1; tools = tools " " tool; words = choices = "" }
{
    words = words " --" $2 ($4 == "?" ? "=" : "")
    if ($3 != "-")
        words = words " -" $3
    if ($6 != "")
        choices = choices sprintf("    --%s%s) words='%s' ;;\n", $2, $3 == "-" ? "" : " | -" $3, $6)
}
END {
    finish()
    print "complete -o default -F _cagsr" tools
}

function finish()
{
    if (tool == "")
        return
    printf "_cagsr_%s() {\n    case $1 in\n%s    -*) words= ;;\n    esac\n    options='%s'\n}\n",
        substr(tool, 7), choices, substr(words, 2)
    if (!begun++)
        printf "%s\n", "_cagsr() {\n    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} words= options=\n" \
            "    local tool=${COMP_WORDS[0]##*/}\n    \"_cagsr_${tool#cagsr-}\" \"$prev\"\n" \
            "    [[ $cur != -* ]] || words=$options\n" \
            "    COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n}"
}
