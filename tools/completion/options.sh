#!/bin/sh
# What the tools say of their options, for bash.awk and zsh.awk:  options.sh PROGRAM ...
# A line per option, the tool's name in front.  A script has no --completion: what its --help
# says is brought into the same form.
set -eu
for program in "$@"; do
    name=$(basename "$program")
    if head -c 2 "$program" | grep -q '#!'; then
        "$program" --help | awk -v OFS='\t' '
            /^ / && match($0, /--[a-z-]+/) {
                option = substr($0, RSTART + 2, RLENGTH - 2)
                letter = substr($0, 3, 1) == "-" ? substr($0, 4, 1) : "-"
                rest = substr($0, RSTART + RLENGTH)
                what = match(rest, /^ [A-Z]+/) ? substr(rest, 2, RLENGTH - 1) : ""
                sub(/^ [A-Z]+/, "", rest)
                sub(/^ +/, "", rest)
                print option, letter, what == "" ? "-" : "+", what, "", rest
            }'
    else
        "$program" --completion
    fi | sed "s/^/$name	/"
done
