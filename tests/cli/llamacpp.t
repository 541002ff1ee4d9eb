# GGUF files of cagsr-convert in llama.cpp: they load, and float32 gives the greedy tokens of
# cagsr-sample.  CAGSR_PYTHON names a python with llama_cpp (llama-cpp-python) and gguf.
. "$KIT"
. "$SRC/tests/cli/llamacpp-kit.sh"
need jq
py=$(llamacpp_python) || skip "$no_llamacpp"
G=$SRC/tests/golden

cat >ids.jsonl <<'END'
{"id":"a","prompt_ids":[1,5,9,4,17,3,3,20]}
{"id":"b","prompt_ids":[2]}
{"id":"c","prompt_ids":[30,31,32,33,34,35,36,37,38,39,40]}
END
jq -c '., (.id += "+" | .prompt_ids += [range(90) | . * 7 % 90 + 5])' ids.jsonl >long.jsonl
for name in gpt2-tiny gpt2-f16 llama-tiny llama3-tiny llama-sharded smollm2-tiny qwen2-tiny qwen3-tiny olmo2-tiny gemma-tiny; do
    cagsr-convert -q --gguf --type f32 -o "$name.gguf" "$G/$name"
    greedy "$G/$name" "$name.gguf" "$name" ids.jsonl 12
done

# Phi-3: llama.cpp takes the short factors where its context (512 here) is within the original
# one, else the long ones, which are ours in a model that has no other.
changed() { # source, directory, jq's program for config.json
    mkdir "$2"
    cp "$G/$1/model.safetensors" "$2"
    jq "$3" "$G/$1/config.json" >"$2/config.json"
}
changed phi3-tiny phi3-short '.original_max_position_embeddings = 512 | .max_position_embeddings = 4096'
changed phi3-tiny phi3-long '.rope_scaling.short_factor = .rope_scaling.long_factor | .original_max_position_embeddings = 512
    | .max_position_embeddings = 512 | .rope_scaling.attention_factor = (1 + (256 / 32 | log) / (32 | log) | sqrt)'
cagsr-convert -q --gguf --type f32 -o phi3-short.gguf phi3-short
greedy phi3-short phi3-short.gguf "phi3-tiny, short factors" ids.jsonl 12
cagsr-convert -q --gguf --type f32 -o phi3-long.gguf "$G/phi3-tiny"
greedy phi3-long phi3-long.gguf "phi3-tiny, long factors" ids.jsonl 12

# T5: llama.cpp's distances end at 128, and it loads no decoder of more layers than the encoder
# has.  It does not scale the hidden state of T5 1.0, which makes no difference to what is
# likeliest.
changed t5-tiny t5-128 '.relative_attention_max_distance = 128'
jq '.relative_attention_max_distance = 128 | .num_layers = 3 | .num_decoder_layers = 2 | .initializer_range = 0.3' \
    "$G/t5v11-tiny/config.json" >config.json
cagsr-init -q -o t5v11 config.json
for name in t5-128 t5v11; do
    cagsr-convert -q --gguf --type f32 -o $name.gguf $name
    greedy $name $name.gguf $name long.jsonl 12
done

# Words and numbers: a tokenizer and random weights.
jq '.vocab_size = 2048 | .max_position_embeddings = 4096' "$G/smollm2-tiny/config.json" >config.json
for name in gpt2-style llama3-style qwen2-style smollm2-style llama2-style mistral-style; do
    mkdir "$name"
    cp "$G/tok/$name/tokenizer.json" config.json "$name"
    cagsr-init -q -o "$name-model" "$name/config.json"
    cagsr-convert -q --gguf --type f32 -o "$name.gguf" "$name-model"
    texts "$G/tok/$name/vectors.jsonl" >texts.jsonl
    if [ "$name" = qwen2-style ]; then # llama.cpp does not normalise: nothing composes below U+0300
        jq -c 'select(.raw | explode | all(. < 768))' texts.jsonl >low.jsonl
        mv low.jsonl texts.jsonl
    fi
    if [ "$name" = mistral-style ]; then # it puts a blank everywhere (cagsr-convert says so)
        jq -c 'select(.raw | startswith(" ") or test("<[a-z/]*>") | not)' texts.jsonl >no-blank.jsonl
        mv no-blank.jsonl texts.jsonl
    fi
    greedy "$name-model" "$name.gguf" "tokenizer $name" texts.jsonl 1 --raw
done

# Unigram and WordPiece, ours from the file, too.  llama.cpp's unigram parts words at blanks
# only, ours and transformers' at all white space, and a U+2581 of the text is a blank; its
# WordPiece keeps enclosing marks and words of any length, and takes U+000B, U+000C and
# U+0085 for white space.
for name in t5-style spm-t5 wordpiece; do
    mkdir "$name"
    cp "$G/tok/$name"/tokenizer* "$name"
    jq '.eos_token_id = 1' config.json >"$name/config.json"
    cagsr-init -q -o "$name-model" "$name/config.json"
    cagsr-convert -q --gguf --type f32 -o "$name.gguf" "$name-model"
    texts "$G/tok/$name/vectors.jsonl" | jq -c --arg name "$name" 'select(.raw | if $name == "wordpiece"
        then (explode | any(. == 11 or . == 12 or . == 133 or . == 1161 or . == 8419)) or test("[^ ]{101}")
        else explode | any(. == 11 or . == 12 or . == 133 or . >= 8192 and . <= 8202 or . == 8232 or . == 8287 or . == 9601)
        end | not)' >texts.jsonl
    greedy "$name.gguf" "$name.gguf" "tokenizer $name" texts.jsonl 1 --raw
done

# The quantisers.
jq '.hidden_size = 64 | .intermediate_size = 96 | .num_attention_heads = 4 | .num_key_value_heads = 2' \
    "$G/llama-tiny/config.json" >config.json
cagsr-init -q -o wide config.json
cagsr-convert -q --gguf --type f32 -o wide.gguf wide
for type in q8_0 q4_0; do
    cagsr-convert -q --gguf --type $type -o "wide-$type.gguf" wide
    quantised wide.gguf $type "wide-$type.gguf"
done
answers
