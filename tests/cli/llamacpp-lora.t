# Adapters of peft as GGUF files of cagsr-convert, in llama.cpp on the base's file: the greedy
# tokens of cagsr-sample, which are not those of the base.  CAGSR_PYTHON names a python with
# llama_cpp, gguf, torch, transformers and peft.
. "$KIT"
. "$SRC/tests/cli/llamacpp-kit.sh"
need jq
py=$(llamacpp_python) || skip "$no_llamacpp"
"$py" -c "import importlib.util as u, sys; sys.exit(not all(map(u.find_spec, ('torch', 'transformers', 'peft'))))" ||
    skip "no peft beside llama_cpp"
G=$SRC/tests/golden

cat >ids.jsonl <<'END'
{"id":"a","prompt_ids":[1,5,9,4,17,3,3,20]}
{"id":"b","prompt_ids":[2]}
{"id":"c","prompt_ids":[30,31,32,33,34,35,36,37,38,39,40]}
END
answers_of() { # model
    cagsr-sample -q -m "$1" -n 1 -t 0 --max-tokens 12 --ignore-eos ids.jsonl | cagsr-cat -k sample -F ids
}

for made in llama-tiny.plain llama-tiny.rslora llama-tiny.patterns llama-tiny.all llama3-tiny.plain \
    gpt2-tiny.plain gpt2-tiny.all qwen2-tiny.all; do
    echo "$G/${made%.*} $made ${made#*.}"
done >make
# llama.cpp's context is 512: the short factors hold there.  Its T5's distances end at 128.
changed() { # name, jq's program for config.json, kind
    mkdir "$1"
    cp "$G/$1/model.safetensors" "$1"
    jq "$2" "$G/$1/config.json" >"$1/config.json"
    echo "$1 $1.$3 $3" >>make
}
changed phi3-tiny '.original_max_position_embeddings = 512 | .max_position_embeddings = 4096' all
changed t5-tiny '.relative_attention_max_distance = 128' plain
"$py" "$SRC/tests/cli/lora-oracle.py" make <make
while read -r base made kind; do
    [ "$(answers_of "$base")" != "$(answers_of "$made")" ] || echo "$made changes nothing"
    cagsr-convert -q -f --gguf --type f32 -o "${base##*/}.gguf" "$base"
    cagsr-convert -q --gguf -o "$made.gguf" "$made"
    lora=$made.gguf greedy "$made" "${base##*/}.gguf" "$made" ids.jsonl 12
done <make
cagsr-convert -q --gguf --type f16 -o half.gguf llama-tiny.plain
cagsr-sample -q -m "$G/llama-tiny" --adapter half.gguf -n 1 -t 0 --max-tokens 12 --ignore-eos ids.jsonl |
    cagsr-cat -k sample -p | jq -c '{file: "llama-tiny.gguf", lora: "half.gguf", name: "f16", prompt_ids, ids}' >>asked.jsonl
answers
