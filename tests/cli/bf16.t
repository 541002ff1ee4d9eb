# Weights rounded to bfloat16: what loses nothing, what is the same, what is taken for rounding.
. "$KIT"
need jq

char_model whole
printf "%s\n" "What is a fox?" "Name two seas." "Why?" | jq -Rc "{prompt: .}" >p
draw() { cagsr-sample -q -n 3 --max-tokens 12 --seed 4 --attn "$@" p; }
# Without the header, which names the command.
body() { cagsr-cat -k sample "$@"; }

echo "-- a checkpoint in bf16: the same bytes as its copy in f32, and as rounded again"
cagsr-convert -q --dtype bf16 -o half whole
cagsr-convert -q --dtype f32 -o copy half
draw -m half >half.rec
draw -m copy | body >copy.body
# (what weights are multiplied with stays float32 where no unit of the processor's is used)
set=$(cagsr-cat -H half.rec | jq -r 'select(.kind == "header").pg[0].kernel | sub(".*[/ ]"; "")')
CAGSR_ISA=$set draw -m half --dtype bf16 | body >again.body
body half.rec >half.body
for other in copy again; do
    jq -c 'del(.policy, .attn.model)' half.body >a
    jq -c 'del(.policy, .attn.model)' $other.body >b
    cmp a b && echo same
done
draw -m whole | body | cmp -s - half.body || echo "other bytes than before it was rounded"

echo "-- who says so"
draw -m whole --dtype bf16 >rounded.rec
for stream in rounded half; do
    cagsr-cat -H $stream.rec | jq -r 'select(.kind == "header").pg[0] | .dtype, (.kernel | sub("/.*"; ""))'
done
body rounded.rec >rounded.body
draw -m whole --dtype bf16 --batch 1 -j 1 | body | cmp - rounded.body && echo "same in any batch"

echo "-- the scorer with the same type gives the sampler's log-probabilities"
cagsr-attn -q -m whole --dtype bf16 --logp half --no-attn rounded.rec |
    cagsr-attn -q -m whole --logp f32 --no-attn >scored.rec
cagsr-cat -k sample -t -F logp,half,f32 scored.rec | awk -F '\t' '
    function far(a, b) { return a > b ? a - b : b - a }
    NR > 1 {
        gsub(/[][]/, "")
        n = split($1, x, ",")
        split($2, y, ",")
        split($3, z, ",")
        for (i = 1; i <= n; i++) {
            same += x[i] == y[i]
            sum += far(x[i], z[i])
            all++
        }
    }
    END {
        print(same == all ? "same" : same " of " all)
        print(sum > 0 && sum / all < 0.05 ? "near" : sum / all)
    }'

echo "-- the update takes that for rounding, and no more"
# rewarded FILTER: the stream with its header, rewards, and what the filter does.
rewarded() { cagsr-cat -H rounded.rec | jq -c "if .kind == \"sample\" then .reward = .ids[0] % 7 | $1 else . end"; }
try() {
    status cagsr-update -m whole --algo grpo --kl 0 --batch 3 -o x >/dev/null
    sed -n 's/within .* tokens/within ... tokens/; s/by up to.*: another/by ...: another/; /ratio\|another/p' status.err
    echo "exit $rc"
    rm -rf x
}
rewarded . | try
rewarded '.logp |= map(. - 0.03)' | try
rewarded '.logp |= map(. - 0.2)' | try
echo "-- which float32 may not"
rewarded '.logp |= map(. - 0.03)' | sed '1s/"dtype":"bf16"/"dtype":"f32"/' | try

echo "-- no such type"
status cagsr-sample -m whole --dtype f16 p
