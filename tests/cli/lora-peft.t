# Adapters of cagsr-update in peft, and peft's here: the same log-probabilities, apart and
# merged.  CAGSR_PYTHON names a python with torch, transformers and peft.
. "$KIT"
. "$SRC/tests/cli/transformers-kit.sh"
need jq
# Looked for, not imported: that takes longer than the rest.
find="import importlib.util as u, sys; sys.exit(not all(map(u.find_spec, ('torch', 'transformers', 'peft'))))"
for py in "${CAGSR_PYTHON:-python3}" python3 ''; do
    [ -n "$py" ] || skip "no python with torch, transformers and peft: CAGSR_PYTHON can name one"
    ! "$py" -c "$find" 2>/dev/null || break
done
G=$SRC/tests/golden

# What cagsr-attn, cagsr-convert and peft say of an adapter.
ask_adapter() { # directory, name
    cagsr-convert -q --merge -o "$1.merged" "$1"
    cagsr-attn -m "$1" --no-attn samples.jsonl | cagsr-cat -k sample -p |
        jq -c --arg dir "$1" --arg name "$2" \
            '{dir: $dir, name: $name, merged: ($dir + ".merged"), prompt_ids, ids, ref}' |
        head -n 1 >>asked.jsonl
}

train() { # model, directory, [option ...]
    model=$1 out=$2
    shift 2
    cagsr-attn -m "$model" --no-attn --logp logp samples.jsonl |
        cagsr-update -q --algo grpo --lr 1e-2 -m "$model" -o "$out" "$@" >/dev/null
}

for name in llama-tiny gpt2-tiny gpt2-f16 gptneox-tiny phi3-tiny qwen2-tiny t5-tiny; do
    train "$G/$name" "ours.$name" --lora-rank 3
    train "ours.$name" "ours.$name.on" # trained on
    ask_adapter "ours.$name.on" "$name of ours"
    train "$G/$name" "all.$name" --lora-rank 2 --lora-alpha 7 --lora-target all-linear
    ask_adapter "all.$name" "$name of ours, all-linear"
done
for made in llama-tiny.plain gpt2-tiny.plain gptneox-tiny.plain phi3-tiny.plain t5-tiny.plain \
    llama-tiny.rslora llama-tiny.patterns phi3-tiny.all; do
    echo "$G/${made%.*} peft.$made ${made#*.}"
done >make
"$py" "$SRC/tests/cli/lora-oracle.py" make <make
while read -r base dir kind; do
    ask_adapter "$dir" "${base##*/} of peft, $kind"
    train "$dir" "$dir.on"
    ask_adapter "$dir.on" "${base##*/} of peft, $kind, trained on"
done <make
"$py" "$SRC/tests/cli/lora-oracle.py" check <asked.jsonl
