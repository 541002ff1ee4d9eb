# A placebo: of each prompt, four tokens of the user's that are drawn by its id and $seed are
# the salient ones; all its candidates have the same.
#     ... | cagsr-cat -H | jq -c --argjson seed 1 -f random-words.jq | cagsr-cat -s | ...
def next: . * 48271 % 2147483647;
def state: reduce explode[] as $c ($seed * 7919 + 12345; (. * 31 + $c) % 2147483646 + 1) | next | next;
if .kind == "sample" then
    (.prompt_mask["$bin"] | @base64d | explode) as $mask
    | [range(1; $mask | length) | select($mask[.] == 1)] as $user
    | .salient = ([limit(4; .id | state | recurse(next))] | map($user[. % ($user | length)]) | unique
                  | map({positions: [.], idf: 1}))
else . end
