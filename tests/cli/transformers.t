# Directories of cagsr-convert and of cagsr-update in transformers: they load without a word,
# give the log-probabilities of cagsr-attn, and tokenize as cagsr-sample does.
# CAGSR_PYTHON names a python with torch and transformers.
. "$KIT"
. "$SRC/tests/cli/transformers-kit.sh"
need jq
py=$(oracle_python) || skip "$no_oracle"
G=${CAGSR_GOLDEN:-$SRC/tests/golden}

for name in gpt2-tiny gpt2-f16 llama-tiny llama-bf16 llama-sharded llama3-tiny mistral-tiny smollm2-tiny \
    t5-tiny t5v11-tiny bart-tiny \
    qwen2-tiny qwen2-yarn-tiny qwen3-tiny gptneox-tiny gemma-tiny gemma2-tiny gemma3-tiny olmo2-tiny phi3-tiny; do
    cagsr-convert -q -o "$name" "$G/$name"
    ask "$name" "$name converted" 1e-4 "$G/$name"
    update "$name" "$name-updated"
    ask "$name-updated" "$name updated" 1e-4
done
cagsr-convert -q --max-shard-size 20K -o shards "$G/llama-tiny"
ask shards "llama-tiny in shards" 1e-4
for name in llama-tiny-f32 llama-q8_0 llama-q4_1; do
    cagsr-convert -q --no-tokenizer -o "gguf-$name" "$G/gguf/$name.gguf"
    ask "gguf-$name" "$name.gguf converted" 1e-4
done
for name in qwen2-tiny qwen3-tiny gptneox-tiny gemma-tiny olmo2-tiny; do
    cagsr-convert -q --gguf --type f32 -o "$name.gguf" "$G/$name"
    cagsr-convert -q -o "gguf-$name" "$name.gguf"
    ask "gguf-$name" "$name there and back" 1e-4
done

# A tokenizer needs a model to be asked by: random weights, more than it has tokens.
jq '.vocab_size = 2048 | .max_position_embeddings = 4096' "$G/smollm2-tiny/config.json" >config.json
for name in gpt2-style llama3-style qwen2-style smollm2-style; do
    mkdir "$name"
    cp "$G/tok/$name/tokenizer.json" config.json "$name"
    echo '{"tokenizer_class": "PreTrainedTokenizerFast"}' >"$name/tokenizer_config.json"
    cagsr-init -q -o "$name-model" "$name/config.json"
    cagsr-convert -q -o "$name-converted" "$name-model"
    texts "$G/tok/$name/vectors.jsonl" >texts.jsonl
    ask_text "$name-converted" "tokenizer $name converted" texts.jsonl --raw
done
answers
