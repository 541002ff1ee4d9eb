# Adapters from PEFT directories to GGUF and back: the same log-probabilities, on either kind
# of base.  (What llama.cpp makes of the files: llamacpp-lora.t.)
. "$KIT"
need jq
G=$SRC/tests/golden

echo '{"kind":"sample","id":"p","prompt_ids":[1,5,9,4,17,3],"ids":[7,8,30,11,2],"temperature":1.0}' >ids.jsonl
ref() { # option ...
    cagsr-attn -j1 "$@" --no-attn ids.jsonl | cagsr-cat -k sample -F ref
}
make() { # model, directory, [option ...]
    model=$1 out=$2
    shift 2
    cagsr-attn -m "$model" --no-attn --logp logp ids.jsonl | cagsr-cat -k sample | jq -c '.reward = 1' |
        cagsr-update -q --algo sft --lr 0.1 -m "$model" -o "$out" "$@" >/dev/null
}

echo "-- there and back"
for name in llama-tiny gpt2-tiny gptneox-tiny qwen3-tiny; do
    make "$G/$name" "$name" --lora-rank 3 --lora-target all-linear
    cagsr-convert -q --gguf -o "$name.gguf" "$name"
    cagsr-convert -q --gguf --type f32 -o "$name.base.gguf" "$G/$name"
    cagsr-convert -q --adapter "$name.gguf" -o "$name.back" "$G/$name"
    cagsr-convert -q --gguf --adapter "$name.back" -o "$name.again.gguf" "$name.base.gguf"
    want=$(ref -m "$name")
    [ "$want" != "$(ref -m "$G/$name")" ] || echo "$name: the adapter changes nothing"
    for m in "$G/$name --adapter $name.gguf" "$name.base.gguf --adapter $name" \
        "$name.base.gguf --adapter $name.gguf" "$name.back" "$G/$name --adapter $name.again.gguf"; do
        [ "$(ref -m $m)" = "$want" ] && echo "the same: ${m#"$G/"}"
    done | sed "s|$G|GOLDEN|g"
done
jq -c '[.r, .lora_alpha, .target_modules, .rank_pattern, .fan_in_fan_out]' llama-tiny.back/adapter_config.json gpt2-tiny.back/adapter_config.json

echo "-- scales: rsLoRA, and an alpha of its own"
for program in '.use_rslora = true' '.alpha_pattern = {"layers.1.*": 7}'; do
    rm -rf scaled
    cp -r llama-tiny scaled
    jq "$program" llama-tiny/adapter_config.json >scaled/adapter_config.json
    cagsr-convert -q -f --gguf -o scaled.gguf scaled
    near=$(printf '%s\n%s\n' "$(ref -m scaled)" "$(ref -m "$G/llama-tiny" --adapter scaled.gguf)" |
        jq -sc 'map(.ref) | transpose | map(.[0] - .[1] | fabs) | max < 1e-5')
    [ "$(ref -m scaled)" != "$(ref -m llama-tiny)" ] && echo "$program: the same $near"
done

echo "-- merged from a GGUF adapter, trained on"
cagsr-convert -q --merge --adapter llama-tiny.gguf -o merged "$G/llama-tiny"
cagsr-convert -q --merge -o merged.too llama-tiny
cmp merged/model.safetensors merged.too/model.safetensors
cagsr-attn -m "$G/llama-tiny" --adapter llama-tiny.gguf --no-attn --logp logp ids.jsonl | cagsr-cat -k sample | jq -c '.reward = 1' |
    cagsr-update -q --algo sft -m "$G/llama-tiny" --adapter llama-tiny.gguf -o on >/dev/null
ls on

echo "-- refused"
status cagsr-convert -o x llama-tiny
status cagsr-convert --merge -o x "$G/llama-tiny" 2>&1 | sed "s|$G|GOLDEN|g"
status cagsr-convert --adapter llama-tiny.gguf --dtype f16 -o x "$G/llama-tiny"
status cagsr-convert --adapter llama-tiny.gguf -o x "$G/gpt2-tiny" 2>&1 | sed "s|$G|GOLDEN|g"
status cagsr-convert --adapter llama-tiny.base.gguf -o x "$G/llama-tiny"
status cagsr-convert -o x llama-tiny.gguf
ls -d x* 2>/dev/null || :
