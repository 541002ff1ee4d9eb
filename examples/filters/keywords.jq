# A reward in jq: how many of the prompt's words the answer uses.
#     cagsr-sample ... | cagsr-cat -H | jq -c -f examples/filters/keywords.jq |
#         cagsr-cat -s | cagsr-update ...
# -H keeps header and end as lines of their own, so that a producer that died is still
# noticed behind jq.
def words: ascii_downcase | [scan("[a-z]+")] | unique;
if .kind == "sample" then
    .reward = ((.prompt | words) as $p | (.text | words) as $t
               | ($p | length) as $n
               | if $n == 0 then null else ($p - ($p - $t) | length) / $n end)
else . end
