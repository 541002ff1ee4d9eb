# cagsr-convert --gguf: the model and its tokenizer come back as they were.
. "$KIT"
need jq
py=$(python_with json) || skip "no python"
G=$SRC/tests/golden

same() { # directory, directory
    cmp "$1/model.safetensors" "$2/model.safetensors" && echo "the same tensors"
}

echo "-- there and back: bit for bit"
for name in gpt2-tiny llama-tiny llama3-tiny mistral-tiny qwen2-tiny smollm2-tiny qwen3-tiny olmo2-tiny phi3-tiny; do
    cagsr-convert --gguf --type f32 -o "$name.gguf" "$G/$name" 2>&1 | sed "s|$G|GOLDEN|g"
    cagsr-convert -q -o "$name" "$name.gguf"
    cagsr-convert -q -o "$name-twin" "$G/$name"
    echo "$name: $(same "$name" "$name-twin")"
done
echo "-- what another writer makes of the same model"
cagsr-convert -q --no-tokenizer -o theirs "$G/gguf/llama-tiny-f32.gguf"
same theirs llama-tiny
cagsr-convert -q --gguf --no-tokenizer --type f32 -o nt.gguf "$G/llama-tiny"
cmp nt.gguf llama-tiny.gguf
for type in f16 bf16; do
    cagsr-convert -q -f --gguf --type $type -o half.gguf "$G/llama-tiny"
    cagsr-convert -q -f --dtype $type -o half half.gguf
    cagsr-convert -q -f --dtype $type -o twin "$G/llama-tiny"
    echo "$type: $(same half twin)"
done
echo "-- the same numbers from other tools"
echo '{"kind":"sample","id":"p","prompt_ids":[1,5,9,4,17,3],"ids":[7,8,30,11,2],"temperature":1.0}' >ids.jsonl
ref() { # model
    cagsr-attn -j1 -m "$1" --no-attn ids.jsonl | cagsr-cat -k sample -F ref
}
for name in gptneox-tiny gptneox-seq-tiny gemma-tiny; do
    cagsr-convert -q --gguf --type f32 -o "$name.gguf" "$G/$name"
done
for name in gpt2-tiny llama3-tiny qwen2-tiny qwen3-tiny gptneox-tiny gptneox-seq-tiny gemma-tiny olmo2-tiny phi3-tiny; do
    [ "$(ref "$G/$name")" = "$(ref "$name.gguf")" ] || echo "$name: other log-probabilities"
done
echo "-- matrices that are packed from the file, from the stage (bf16), and from both (q and k of a GGUF file)"
printf '{"model_type":"llama","architectures":["LlamaForCausalLM"],"num_hidden_layers":2,
    "hidden_size":192,"intermediate_size":384,"num_attention_heads":6,"num_key_value_heads":6,
    "vocab_size":300,"max_position_embeddings":64,"rms_norm_eps":1e-5,"rope_theta":10000,
    "hidden_act":"silu","tie_word_embeddings":false,"torch_dtype":"float32"}\n' >config.json
cagsr-init -q -o pieces config.json
cagsr-convert -q --no-tokenizer --dtype bf16 -o pieces-half pieces
cagsr-convert -q --no-tokenizer --dtype f32 -o pieces-f32 pieces-half
for type in f32 bf16; do
    cagsr-convert -q --no-tokenizer --gguf --type $type -o pieces-$type.gguf pieces-half
done
want=$(ref pieces-f32)
for m in pieces-half pieces-f32.gguf pieces-bf16.gguf; do
    [ "$(ref $m)" = "$want" ] && echo "$m: the same log-probabilities"
done
# (the update computes with matrices as they are, and refuses other log-probabilities)
for c in 0 1; do
    echo '{"kind":"sample","id":"p","cand":'$c',"n":2,"prompt_ids":[1,5,9,4],"ids":[7,8,'$c'],"temperature":1,"reward":'$c'}'
done | cagsr-attn -q -m pieces --no-attn --logp logp |
    cagsr-update -q -m pieces --algo grpo --kl 0 --batch 1 -o pieces-new |
    cagsr-cat -k metric --json | jq '."sampling/logp_difference_max" < 1e-4'
# T5 of both versions; GGUF's distances end at 128, as published ones do.
for name in t5-tiny t5v11-tiny; do
    mkdir "$name"
    cp "$G/$name/model.safetensors" "$name"
    jq '.relative_attention_max_distance = 128' "$G/$name/config.json" >"$name/config.json"
    cagsr-convert -q --gguf --type f32 -o "$name.gguf" "$name"
    cagsr-convert -q -o "$name-back" "$name.gguf"
    for m in "$name.gguf" "$name-back"; do
        [ "$(ref "$name")" = "$(ref "$m")" ] || echo "$m: other log-probabilities"
    done
    jq -c '[.tie_word_embeddings, .feed_forward_proj, .num_layers, .num_decoder_layers, .decoder_start_token_id]' "$name-back/config.json"
    status cagsr-convert --gguf -o x.gguf "$G/$name" 2>&1 | sed "s|$G|GOLDEN|g"
done
jq '.decoder_start_token_id = 7 | .relative_attention_max_distance = 128 | .num_decoder_layers = null' "$G/t5-tiny/config.json" >config.json
cagsr-init -q -o started config.json
cagsr-convert -q --gguf --type q8_0 -o started.gguf started
cagsr-convert -q -o started-back started.gguf
jq -c '[.num_layers, .num_decoder_layers, .decoder_start_token_id]' started-back/config.json
changed_t5() { # jq's program
    jq ".relative_attention_max_distance = 128 | $1" "$G/t5v11-tiny/config.json" >config.json
    rm -rf other
    cagsr-init -q -o other config.json
    status cagsr-convert -q --gguf -o x.gguf other
}
changed_t5 '.feed_forward_proj = "gated-silu"'
changed_t5 '.feed_forward_proj = "gelu"'
changed_t5 '.scale_decoder_outputs = true'
status cagsr-convert -q --gguf -o x.gguf "$G/bart-tiny" 2>&1 | sed "s|$G|GOLDEN|g"
# Gemma 2 and 3 as they are published: the scale of scores follows from the heads.
for name in gemma2-tiny gemma3-tiny; do
    jq '.query_pre_attn_scalar = .head_dim' "$G/$name/config.json" >config.json
    cagsr-init -q -o "$name" config.json
    cagsr-convert -q --gguf --type f32 -o "$name.gguf" "$name"
    [ "$(ref "$name")" = "$(ref "$name.gguf")" ] || echo "$name: other log-probabilities"
    status cagsr-convert --gguf -o x.gguf "$G/$name" 2>&1 | sed "s|$G|GOLDEN|g"
done

echo "-- types of tensors"
cat >types.py <<'END'
# The table of tensors of a GGUF file: how many of each type and kind, and where they lie.
import re, struct, sys
d = open(sys.argv[1], "rb").read()
at = 4
def take(f):
    global at
    v = struct.unpack_from("<" + f, d, at)
    at += struct.calcsize("<" + f)
    return v[0]
def text():
    global at
    n = take("Q"); at += n
    return d[at - n:at].decode()
size = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
def value(t):
    if t == 8: return text()
    if t != 9: return take(size[t])
    u, n = take("I"), take("Q")
    return [value(u) for _ in range(n)]
version, tensors, keys = take("I"), take("Q"), take("Q")
meta = {}
for _ in range(keys):
    k = text()
    meta[k] = value(take("I"))
name = {0: "F32", 1: "F16", 30: "BF16", 8: "Q8_0", 2: "Q4_0"}
kinds = {}
for _ in range(tensors):
    n = text(); dims = [take("Q") for _ in range(take("I"))]; t = name[take("I")]; assert take("Q") % 32 == 0
    kinds.setdefault(t, set()).add(re.sub(r"blk\.\d+\.", "", n))
for t in sorted(kinds): print(" ", t, *sorted(kinds[t]))
print("  file_type", meta["general.file_type"], meta["general.architecture"], meta["general.size_label"], meta["general.name"])
END
jq '.hidden_size = 64 | .intermediate_size = 96 | .num_attention_heads = 4 | .num_key_value_heads = 2' \
    "$G/llama-tiny/config.json" >config.json
jq '.n_embd = 64 | .n_inner = 80' "$G/gpt2-tiny/config.json" >gpt2.json
jq '.d_model = 64 | .d_kv = 16 | .d_ff = 96 | .relative_attention_max_distance = 128' "$G/t5-tiny/config.json" >t5.json
cagsr-init -q -o t5-wide t5.json
cagsr-init -q -o wide config.json
cagsr-init -q -o gpt2-wide gpt2.json
for type in f32 f16 bf16 q8_0 q4_0; do
    for model in wide gpt2-wide t5-wide; do
        cagsr-convert -q --gguf --type $type -o "$model-$type.gguf" "$model"
        echo "$model $type"
        $py types.py "$model-$type.gguf"
    done
done
echo "-- quantised once, it stays so"
for type in q8_0 q4_0; do
    cagsr-convert -q --gguf --type $type -o again.gguf wide-$type.gguf
    cagsr-convert -q -f -o once wide-$type.gguf
    cagsr-convert -q -f -o twice again.gguf
    same once twice
    rm again.gguf
done

echo "-- tokenizers"
# (The scores of t5-style are doubles, GGUF's are floats: spm-t5's are, too.)
for name in gpt2-style llama3-style qwen2-style smollm2-style llama2-style mistral-style spm-t5 wordpiece; do
    mkdir "$name-source"
    cp "$G/tok/$name"/tokenizer* "$name-source"
    jq '.vocab_size = 2048 | .max_position_embeddings = 4096' "$G/smollm2-tiny/config.json" >"$name-source/config.json"
    jq -s 'add + {chat_template: "{{ bos_token }}", pad_token: "a", unk_token: {content: "b"}}' \
        $(ls "$G/tok/$name/tokenizer_config.json" 2>/dev/null) /dev/stdin >config.json </dev/null
    mv config.json "$name-source/tokenizer_config.json"
    cagsr-init -q -o "$name" "$name-source/config.json"
    cagsr-convert -q --gguf -o "$name.gguf" "$name"
    cagsr-convert -q -o "$name-back" "$name.gguf"
    jq -c 'select(.text != null and .text != "") | {prompt: .text}' "$G/tok/$name/vectors.jsonl" >texts.jsonl
    echo '{"prompt": "a [PAD700] that is no token"}' >>texts.jsonl
    for model in "$name" "$name.gguf" "$name-back"; do
        cagsr-sample -q -m "$model" --raw -n 1 --max-tokens 1 texts.jsonl |
            cagsr-cat -k sample -F prompt_ids,prompt,prompt_ends >ids
        md5sum <ids
    done | uniq -c | sed "s/ -\$/ $name/; s/  *\([0-9]*\) [0-9a-f]*/\1 times the same/"
    wc -l <ids
    strings -n 4 "$name.gguf" | grep -A1 tokenizer.ggml.pre | sed -n '2s/^[^a-z]*//p' | cut -c1-9
    jq -c '[.chat_template, .pad_token, .unk_token]' "$name-back/tokenizer_config.json"
done

echo "-- upper case and accents"
accents="École À LA crème, the Ünder"
variant() { # model, jq's program for tokenizer.json
    rm -rf variant
    cp -r "$1" variant
    chmod -R u+w variant
    jq "$2" "$1/tokenizer.json" >variant/tokenizer.json
}
ids_of() { # model
    jq -nc --arg p "$accents" '{prompt: $p}' | cagsr-sample -q -m "$1" --raw -n 1 --max-tokens 1 | cagsr-cat -k sample -F prompt_ids
}
for change in '.lowercase = false' '.strip_accents = false' '.lowercase = false | .strip_accents = true' '.strip_accents = true'; do
    variant wordpiece ".normalizer |= ($change)"
    cagsr-convert -q -f --gguf -o variant.gguf variant
    ids_of variant >one
    ids_of variant.gguf | cmp - one && cut -c1-60 one
done

echo "-- a pipe"
cagsr-convert -q --gguf --type q8_0 -o - wide | cmp - wide-q8_0.gguf
rc=0
cagsr-convert -q --gguf -o - wide >/dev/full 2>err || rc=$?
echo "a full disk: exit $rc $(sed 's/: [A-Z].*//' err)"

echo "-- refused"
status cagsr-convert --gguf -o wide-f32.gguf wide
status cagsr-convert -q -f --gguf -o wide-f32.gguf wide
status cagsr-convert --gguf --type q5_k -o x.gguf wide
status cagsr-convert --gguf --dtype f16 -o x.gguf wide
status cagsr-convert --type f16 -o x.gguf wide
changed() { # jq's program for config.json or tokenizer.json of smollm2-style
    rm -rf changed
    cp -r smollm2-style changed
    jq "$1" "smollm2-style/$2" >"changed/$2"
    status cagsr-convert -q --gguf -o x.gguf changed | sed 's/\(that we write\): .*/\1: .../'
}
changed '.rope_scaling = {type: "dynamic", factor: 2}' config.json
changed '.hidden_act = "gelu"' config.json
changed '.pre_tokenizer = {type: "ByteLevel", add_prefix_space: true}' tokenizer.json
changed '.model.ignore_merges = true' tokenizer.json
changed '.post_processor = {type: "TemplateProcessing", single: [{SpecialToken: {id: "a", type_id: 0}}, {SpecialToken: {id: "a", type_id: 0}}, {Sequence: {id: "A", type_id: 0}}], pair: [], special_tokens: {a: {id: "a", ids: [64], tokens: ["a"]}}}' tokenizer.json
refused() { # model, jq's program for tokenizer.json
    variant "$1" "$2"
    status cagsr-convert -q --gguf -o x.gguf variant
}
refused wordpiece '.model.max_input_chars_per_word = 50'
refused wordpiece '.post_processor = null'
refused wordpiece '.pre_tokenizer = {type: "WhitespaceSplit"}'
refused wordpiece '.model = {type: "WordLevel", vocab: .model.vocab, unk_token: "[UNK]"}'
cagsr-convert -q -o t5 spm-t5.gguf
refused t5 '.model.unk_id = null'
refused t5 '.pre_tokenizer = {type: "Metaspace", replacement: "▁", prepend_scheme: "never"}'
jq '.vocab_size = 100' "$G/smollm2-tiny/config.json" >smollm2-style-source/config.json
cagsr-init -q -o small smollm2-style-source/config.json
status cagsr-convert -q --gguf -o x.gguf small
cagsr-convert -q --gguf --no-tokenizer -o x.gguf small && echo "without its tokenizer it can be written"
