# An encoder-decoder of random weights through all four tools: cross-attention in records,
# the same bytes however it is batched, what each algorithm moves, what is refused.
. "$KIT"
need jq

mkdir conf
cp "$SRC/tests/golden/tok/t5-style/tokenizer.json" conf
jq -n '{model_type: "t5", architectures: ["T5ForConditionalGeneration"], vocab_size: 800,
    d_model: 32, d_kv: 8, d_ff: 48, num_layers: 2, num_decoder_layers: 3, num_heads: 4,
    relative_attention_num_buckets: 8, relative_attention_max_distance: 20,
    feed_forward_proj: "gated-gelu", tie_word_embeddings: false, initializer_range: 0.2,
    pad_token_id: 0, eos_token_id: 1, decoder_start_token_id: 0, is_encoder_decoder: true}' \
    >conf/config.json
cagsr-init -q --seed 3 -o model conf/config.json

echo "-- text: as it is, and the end token that the tokenizer adds"
cat >prompts.jsonl <<'END'
{"id": "x", "prompt": "Which river runs through Paris, and which through London?"}
{"id": "y", "prompt": "Name three kinds of trees."}
{"id": "ids", "prompt_ids": [412, 120, 178, 1]}
END
sample() {
    cagsr-sample -q -m model -n 4 --max-tokens 8 --seed 5 --attn "$@" prompts.jsonl
}
sample -j 1 >run.rec
records() {
    cagsr-cat -k sample -p "$@"
}
records run.rec | jq -sr '.[] | select(.cand == 0) |
    [.id, .prompt_ids[-1], (.prompt_ids | length), .prompt_mask, .finish] | @tsv'
echo "-- rows of cross-attention"
records run.rec | jq -s '
    [.[].attn] as $a
    | ([$a[] | .kind, .layers, .heads, .reduce] | unique),
      ([.[] | (.ids | length) == (.attn.rows | length) and (.prompt_ids | length) == (.attn.rows[0] | length)] | all),
      ([$a[].rows[] | add - 1 | fabs] | max < 1e-5),
      ([$a[].outside[]] | unique)' | jq -c .
echo "-- the same bytes: rows in a step, threads, shards, order"
body() {
    records "$@" | jq -c 'del(.seed)' | sort
}
body run.rec >want
sample --batch 1 -j 1 >a.rec
sample --batch 3 -j 2 >b.rec
sample --shard 1/2 >c.rec
sample --shard 2/2 >d.rec
body a.rec | cmp - want && body b.rec | cmp - want && body c.rec d.rec | cmp - want && echo same
echo "-- captured rows are those computed again, and so are log-probabilities"
cagsr-attn -q -m model run.rec >scored.rec
records run.rec >one
records scored.rec >two
jq -n --slurpfile a one --slurpfile b two '
    def apart(f; g): [$a, $b] | [.[0][] | f | flatten[]] as $x | [.[1][] | g | flatten[]] as $y
        | [$x, $y] | transpose | map(.[0] - .[1] | fabs) | max;
    ($a | length), ($a | map(.id)) == ($b | map(.id)), ($b[0].attn.kind),
    apart(.attn.rows; .attn.rows) < 1e-5, apart(.logp; .ref) < 1e-4' | jq -sc .
cagsr-attn -q -m model -l all --heads each --reduce norm run.rec | records |
    jq -sc '.[0].attn | [.kind, .layers, .heads, .reduce, (.rows | length), (.rows[0] | length)]'

echo "-- reward: the first word may count, the end token does not"
sed '$d' prompts.jsonl >texts.jsonl # a prompt of ids has no words
for position in 0 3; do
    jq -nc --argjson p $position '{id: "z", prompt_ids: [412, 120, 178, 1], salient: [{positions: [$p], idf: 1}]}' |
        cagsr-sample -q -m model -n 1 --max-tokens 8 | cagsr-attn -q -m model | cagsr-reward -q |
        records | jq -c '.rewards.coverage > 0'
done
cagsr-sample -q -m model -n 8 --max-tokens 8 --seed 5 texts.jsonl | cagsr-attn -q -m model |
    cagsr-reward -q >rewarded.rec
records rewarded.rec | jq -s '[.[].reward | isfinite] | all, length' | jq -sc .

echo "-- each algorithm moves what it should"
records rewarded.rec | jq -c '.reward = (.cand + 1) % 2' >even.jsonl
# By how much the mean log-probability of responses has risen, in nats: good and bad ones.
rise() { # MODEL
    cagsr-attn -q -m "$1" --no-attn --logp new even.jsonl | cagsr-cat -p |
        jq -r '[.reward, ((.new | add) - (.ref | add))] | @tsv' |
        awk '{ sum[$1] += $2; n[$1]++ } END { print sum[1] / n[1], sum[0] / n[0] }'
}
for algo in ppo grpo rloo reinforce raft dpo sft; do
    cagsr-update -q -m model --algo $algo --lr 1e-3 -o out.$algo even.jsonl >m.rec
    cagsr-cat --check m.rec
    rise out.$algo | awk -v algo=$algo '
        algo == "sft" { print algo, ($1 > .02 && $2 > .02 ? "raises all" : "does not: " $0); next }
        { print algo, ($1 - $2 > .02 ? "raises good above bad" : "does not: " $0) }'
done
cagsr-update -q -m model --algo rm --lr 1e-2 --epochs 12 -o out.rm even.jsonl | cagsr-cat |
    jq -s '.[-1].accuracy > .[0].accuracy or .[-1].accuracy == 1'
(cd out.grpo && find . -maxdepth 1 -type f | sort)
jq -S 'del(.torch_dtype, .dtype)' out.grpo/config.json >a.json
jq -S . conf/config.json | cmp - a.json && echo "the config is as it was"
echo "-- a reference model gives what the records bring; threads and cuts change nothing"
cagsr-update -q -m model --algo grpo --kl .1 --grads a.st even.jsonl >/dev/null
cagsr-update -q -m model --ref model --algo grpo --kl .1 --grads b.st even.jsonl >/dev/null
cagsr-update -q -m model --algo grpo --kl .1 -j 2 --grads c.st even.jsonl >/dev/null
cmp a.st b.st && cmp a.st c.st && echo same

echo "-- text to learn from"
cat >pairs.jsonl <<'END'
{"prompt": "Name a river.", "output": "Thames"}
{"prompt": "Name a tree.", "output": "oak"}
END
cagsr-update -q -m model --algo sft --lr 1e-2 --epochs 40 -o learnt pairs.jsonl >/dev/null
jq -c '{prompt}' pairs.jsonl | cagsr-sample -q -m learnt -t 0 -n 1 --max-tokens 8 |
    cagsr-cat -k sample -p | jq -r '[.text, .finish] | @tsv'

echo "-- bart, which begins with two tokens; a prompt of one"
mkdir bart
jq -n '{model_type: "bart", vocab_size: 90, d_model: 24, encoder_layers: 2, decoder_layers: 2,
    encoder_attention_heads: 2, decoder_attention_heads: 3, encoder_ffn_dim: 40,
    decoder_ffn_dim: 36, max_position_embeddings: 12, activation_function: "gelu",
    scale_embedding: true, pad_token_id: 1, eos_token_id: 2, decoder_start_token_id: 2,
    forced_bos_token_id: 0, initializer_range: 0.3}' >bart/config.json
cagsr-init -q -o bart-model bart/config.json
echo '{"id": "one", "prompt_ids": [40]}
{"id": "full", "prompt_ids": [3,4,5,6,7,8,9,10,11,12,13,14]}' >ids.jsonl
cagsr-sample -q -m bart-model -n 3 --ignore-eos --max-tokens 99 --attn=all ids.jsonl >bart.rec
# of 12 positions two are taken before the first token is drawn
records bart.rec | jq -sc '[.[].ids | length] | unique'
cagsr-attn -q -m bart-model -l all bart.rec | records >two
records bart.rec >one
jq -n --slurpfile a one --slurpfile b two '
    def apart(f; g): [$a, $b] | [.[0][] | f | flatten[]] as $x | [.[1][] | g | flatten[]] as $y
        | [$x, $y] | transpose | map(.[0] - .[1] | fabs) | max;
    apart(.attn.rows; .attn.rows) < 1e-5, apart(.logp; .ref) < 1e-4' | jq -sc .
jq -c '.reward = .cand' two | cagsr-update -q -m bart-model --algo ppo --rows 13 --lr 1e-3 -o bart-out >/dev/null
jq -c '.prompt_ids += [15]' ids.jsonl >long.jsonl
status cagsr-sample -m bart-model -n 1 -o long.rec long.jsonl

echo "-- refused"
bad() { # filter, what
    mkdir -p bad
    jq "$1" conf/config.json >bad/config.json
    cp model/model.safetensors bad
    status cagsr-sample -m bad -n 1 prompts.jsonl 2>&1 | grep -v '^exit 0' | sed 's/  */ /g'
}
bad '.feed_forward_proj = "gated-what"'
bad '.feed_forward_proj = "gated-gelu-gelu"'
bad '.relative_attention_num_buckets = 7'
bad '.relative_attention_max_distance = 4'
bad '.decoder_start_token_id = 800'
bad '.num_decoder_layers = 2' | head -c 60; echo
bad 'del(.d_kv)'
