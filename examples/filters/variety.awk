# A reward in awk: the share of the answer's words that are different ones.
#     cagsr-sample ... | cagsr-cat -H | awk -f examples/filters/variety.awk |
#         cagsr-cat -s | cagsr-update ...
# JSON lines from cagsr-cat have one record per line and no blanks between tokens, so a
# pattern finds a field; records must not have a reward yet.
/^\{"kind":"sample"/ && match($0, /"text":"([^"\\]|\\.)*"/) {
    n = split(tolower(substr($0, RSTART + 8, RLENGTH - 9)), word, /[^a-z]+/)
    split("", seen)
    all = different = 0
    for (i = 1; i <= n; i++)
        if (word[i] != "") {
            all++
            different += !seen[word[i]]++
        }
    sub(/}$/, sprintf(",\"reward\":%.6f}", all ? different / all : 0))
}
{ print }
