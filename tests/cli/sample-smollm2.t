# cagsr-sample on the real SmolLM2: golden prompts and greedy tokens, and the same bytes
# whatever the batch and the threads.
. "$KIT"
need jq
model=$(smollm2) || skip "no SmolLM2: set CAGSR_SMOLLM2 to its .gguf"

jq -c '.rows[] | {id: (.prompt_ids | length | tostring), messages, want: .prompt_ids, text_want: .prompt_text, greedy: .greedy_ids}' \
    "$SRC"/tests/golden/smollm2/expected.json >prompts.jsonl
cagsr-sample -m "$model" -n 1 -t 0 --max-tokens 24 --ignore-eos prompts.jsonl | cagsr-cat -k sample -p |
    jq -c 'select(.prompt != .text_want or .prompt_ids != .want or .ids != .greedy) | .id'

head -n 2 prompts.jsonl >two.jsonl
run() {
    cagsr-sample -m "$model" -n 3 --max-tokens 8 --seed 11 --attn=28: "$@" two.jsonl | cagsr-cat -k sample
}
run --batch 6 -j1 >a
run --batch 2 -j2 >b
cmp a b
cagsr-cat -p -F finish,ids a | wc -l
