# An adapter on an encoder-decoder through the tools: trained, sampled with apart and merged,
# scored, refused by another base.
. "$KIT"
need jq

mkdir t5 bart
jq -n '{model_type: "t5", vocab_size: 60, d_model: 32, d_kv: 8, d_ff: 48, num_layers: 2, num_heads: 4,
    relative_attention_num_buckets: 8, relative_attention_max_distance: 20, feed_forward_proj: "gated-gelu",
    tie_word_embeddings: false, initializer_range: 0.2, pad_token_id: 0, eos_token_id: 1,
    decoder_start_token_id: 0, is_encoder_decoder: true}' >t5/config.json
jq -n '{model_type: "bart", vocab_size: 60, d_model: 24, encoder_layers: 2, decoder_layers: 2,
    encoder_attention_heads: 2, decoder_attention_heads: 3, encoder_ffn_dim: 40, decoder_ffn_dim: 36,
    max_position_embeddings: 64, pad_token_id: 1, eos_token_id: 2, decoder_start_token_id: 2,
    forced_bos_token_id: 0, initializer_range: 0.3}' >bart/config.json
echo '{"id": "a", "prompt_ids": [12, 40, 17, 1]}
{"id": "b", "prompt_ids": [5, 6, 7, 8, 9, 10, 11, 2]}' >prompts.jsonl

# What a model draws, with its log-probabilities and the attention behind them.
drawn() { # model, [option ...]
    model=$1
    shift
    cagsr-sample -q -m "$model" -n 3 --max-tokens 6 --ignore-eos --seed 5 "$@" prompts.jsonl |
        cagsr-cat -k sample -p
}
ids() {
    jq -c .ids "$1"
}
for name in t5 bart; do
    echo "-- $name"
    cagsr-init -q --seed 3 -o $name-model $name/config.json
    drawn $name-model >base
    jq -c '.reward = .cand % 2' base |
        cagsr-update -q -m $name-model --algo grpo --lr 5e-2 --epochs 4 --lora-rank 4 --lora-target all-linear \
            -o $name-lora >/dev/null
    cagsr-convert -q --merge -o $name-whole $name-lora
    drawn $name-lora --attn=all >apart
    drawn $name-whole --attn=all >merged
    ids base >base.ids
    ids apart >apart.ids
    ids merged | cmp - apart.ids && echo "merged draws the same"
    cmp -s base.ids apart.ids || echo "the base draws others"
    drawn $name-lora --attn=all --batch 1 | jq -c 'del(.seed)' >one
    jq -c 'del(.seed)' apart | cmp - one && echo "whatever the batch"
    cagsr-attn -q -m $name-lora -l all apart | cagsr-cat -k sample -p >again
    jq -n --slurpfile a apart --slurpfile b merged --slurpfile c again '
        def apart(x; y; f; g): [[x[] | f | flatten[]], [y[] | g | flatten[]]] | transpose
            | map(.[0] - .[1] | fabs) | max;
        apart($a; $b; .logp; .logp) < 1e-4, apart($a; $b; .attn.rows; .attn.rows) < 1e-5,
        apart($a; $c; .logp; .ref) < 1e-4, apart($a; $c; .attn.rows; .attn.rows) < 1e-5' | jq -sc .
done
