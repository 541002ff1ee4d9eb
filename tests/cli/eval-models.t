# cagsr-eval with models: a sentence encoder, perplexities under a frozen one.
. "$KIT"
need jq

# An encoder with random weights and a real tokenizer.
mkdir enc
jq -n --argjson V "$(jq '.model.vocab | length' "$SRC/tests/golden/tok/wordpiece/tokenizer.json")" \
    '{model_type: "bert", vocab_size: $V, hidden_size: 24, num_hidden_layers: 2,
    num_attention_heads: 3, intermediate_size: 36, max_position_embeddings: 64}' >config.json
cagsr-init -q -o bert --seed 3 config.json
cp bert/config.json bert/model.safetensors "$SRC/tests/golden/tok/wordpiece/tokenizer.json" enc

cat >a.jsonl <<'END'
{"kind":"sample","id":"p1","cand":0,"prompt":"Name a red fruit.","text":"Name a red fruit.","reference":"apple"}
{"kind":"sample","id":"p1","cand":1,"prompt":"Name a red fruit.","text":"apple","reference":["cherry","apple"]}
{"kind":"sample","id":"p2","cand":0,"prompt":"How deep is the sea?","text":"","reference":"very deep"}
{"kind":"sample","id":"p2","cand":1,"prompt":"How deep is the sea?","text":"It is deep.","reference":"very deep"}
END
echo "-- the encoder: a text is 1 to itself; the gap is a difference; two threads, same bytes"
cagsr-eval -E enc -M relevance,among -e a.jsonl >a.rec
cagsr-cat a.rec | jq -r '.metrics | [(.relevance * 1e5 | round), (.similarity * 1e5 | round), ((.relevance - .relevance_shuffled - .relevance_gap) * 1e9 | round)] | @tsv' | sed -n '1s/\t[-0-9]*\t/ . /p;2s/^[-0-9]*/./p'
cagsr-eval -E enc -j 2 -M relevance,among a.jsonl >two
cagsr-eval -E enc -j 1 -M relevance,among a.jsonl | cmp - two && echo same
awk '{ print $1, $5, $6, $7 }' two
cagsr-cat -H a.rec | sed -n '1s/.*"model":"[0-9a-f]\{16\}","dtype":"f32".*/the header names the weights/p'

echo "-- perplexity: what cagsr-attn says, and sums that add up"
char_model lm
cat >b.jsonl <<'END'
{"kind":"sample","id":"a","cand":0,"prompt":"a","prompt_ids":[67],"text":"ab","ids":[67,68],"temperature":1.0,"reference":"ab","followup":"c"}
{"kind":"sample","id":"a","cand":1,"prompt":"a","prompt_ids":[67],"text":"ab\nc","ids":[67,68,98,69],"temperature":1.0,"reference":"ab"}
{"kind":"sample","id":"b","cand":0,"prompt":"b","prompt_ids":[68],"text":"ab","ids":[67,68],"temperature":1.0,"reference":"ba"}
END
cagsr-eval -m lm -M perplexity -e b.jsonl | cagsr-cat | jq -s -c '
    map(.metrics) as [$a, $b, $c]
    | [((2 * ($a.ppl_response | log) + 2 * ($a.ppl_followup | log) - 4 * ($b.ppl_response | log)) * 1e4 | round),
       ($a | has("ppl_reference"))]'
cagsr-eval -m lm -M perplexity -F json b.jsonl >with
cagsr-attn -q -m lm b.jsonl | cagsr-eval -M ppl_response -F json >without
jq -s -r '[(.[0].mean / .[-1].mean * 1e5 | round), .[0].samples, .[1].samples, .[-1].samples] | @tsv' with without
# A reference that is the answer is as likely as it.
sed -n 1p b.jsonl | cagsr-eval -m lm -M perplexity -F json | jq -s -r '(.[0].mean / .[1].mean * 1e6 | round)'

echo "-- faults"
status cagsr-eval -E nowhere a.jsonl
status cagsr-eval -E lm a.jsonl
status cagsr-eval -m enc a.jsonl
status cagsr-eval --adapter lm a.jsonl
status cagsr-eval -m lm a.jsonl
sed 's/67/670/' b.jsonl | status cagsr-eval -m lm
sed 's/"prompt":"a"/"prompt":"z"/' b.jsonl | cagsr-eval -m lm -M ppl_response 2>&1 >/dev/null
