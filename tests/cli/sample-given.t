# cagsr-sample --given: answers that are there already become records, without a model's weights.
. "$KIT"
need jq

char_model model
tiny=$SRC/examples/tiny-qa/model
questions=$SRC/examples/tiny-qa/questions.jsonl
given() { cagsr-sample -m model --given "$@"; }

echo "-- one answer, several, the assistant's turn; what else is in the record"
cat >answers.jsonl <<'END'
{"id": "one", "prompt": "say", "answer": "a b", "reference": "r", "label": 3}
{"id": "several", "prompt": "say", "answer": ["a", "b c", "a"]}
{"id": "message", "prompt": "say", "answer": {"role": "assistant", "content": "d"}}
{"id": "alpaca", "instruction": "do", "input": "this", "answer": "done", "output": "better"}
END
given answer answers.jsonl >out
cagsr-cat -k sample -p out | jq -c '[.id, .cand, .n, .text, .finish, .reference, .label, .temperature, has("logp"), has("policy"), has("seed")]'
cagsr-cat --check=schema out
echo '{"id": "m", "messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "last"}]}' |
    given messages | cagsr-cat -k sample -p | jq -c '[.prompt, .text, .reference]'

echo "-- what was drawn and ended, given back, is the same to the scorer"
head -n 40 "$questions" | cagsr-sample -m "$tiny" --raw -n 3 --max-tokens 6 |
    cagsr-cat -s -w 'finish = "eos"' >drawn
cagsr-cat -p -k sample drawn | jq -c '{id: "\(.id)/\(.cand)", prompt, text}' >texts.jsonl
cagsr-sample -m "$tiny" --raw --given text texts.jsonl >back
for x in drawn back; do
    cagsr-attn -m "$tiny" "$x" | cagsr-cat -k sample -p |
        jq -c '[.prompt_ids, .prompt_ends, .prompt_mask, .ids, .ends, .text, .finish, .ref, .attn]' >$x.scored
done
[ "$(wc -l <drawn.scored)" -gt 60 ] && cmp drawn.scored back.scored && echo same

echo "-- references are right"
cagsr-sample -m "$tiny" --raw --given reference "$questions" | cagsr-cat -k sample -t -F reference,finish,text |
    awk -f "$SRC/examples/tiny-qa/world.awk" -v what=judge

echo "-- other records, shards"
{ head -n 1 answers.jsonl; echo '{"kind":"note","x":1}'; sed -n 2p answers.jsonl; } | given answer | cagsr-cat -p -F kind,id,x
given answer --shard 2/2 answers.jsonl | cagsr-cat -k sample -p -F id | sort -u

echo "-- what cannot be"
refused() {
    rc=0
    "$@" >out 2>err || rc=$?
    cat err
    echo "exit $rc"
}
{ head -n 1 answers.jsonl; echo '{"id":"x","prompt":"a"}'; } | refused given answer
cagsr-cat -q --allow-truncated -F id out
echo '{"id":"x","prompt":"a","answer":7}' | refused given answer
echo '{"id":"x","prompt":"a","answer":["b",7]}' | refused given answer
echo '{"id":"x","prompt":"a","answer":[]}' | refused given answer
echo '{"id":"x","prompt":"a","talk":[{"role":"user","content":"else"},{"role":"assistant","content":"b"}]}' | refused given talk
refused given answer --follow dir answers.jsonl
refused given answer --text answers.jsonl
refused given answer --attn answers.jsonl
