# An encoder alone is a model that sampling, scoring, training and conversion refuse.
. "$KIT"

jq -n '{model_type: "bert", vocab_size: 40, hidden_size: 24, num_hidden_layers: 2,
    num_attention_heads: 3, intermediate_size: 36, max_position_embeddings: 20}' >config.json
cagsr-init -q -o bert config.json
echo '{"id": "a", "prompt_ids": [5, 6], "ids": [7], "cand": 0, "n": 1, "reward": 1}' >one.jsonl
status cagsr-sample -m bert -n 1 -o out.rec one.jsonl
status cagsr-attn -m bert -o out.rec one.jsonl
status cagsr-update -m bert -o new --algo reinforce one.jsonl
status cagsr-convert -o new bert
status cagsr-convert --gguf -o new.gguf bert
ls

echo "-- configurations"
bad() { # filter
    jq "$1" config.json >bad.json
    status cagsr-init -q -o bad bad.json
}
bad '.position_embedding_type = "relative_key"'
bad '.is_decoder = true'
bad '.add_cross_attention = true'
bad '.type_vocab_size = 0'
bad '.pad_token_id = 40'
bad '.hidden_act = "swish9"'
bad '.num_attention_heads = 7'
bad 'del(.max_position_embeddings)'
bad '.position_embedding_type = "absolute" | .pad_token_id = null | .type_vocab_size = 1'
