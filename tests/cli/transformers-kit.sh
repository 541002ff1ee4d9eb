# Functions for transformers*.t: what transformers-oracle.py is asked.

# The python with torch and transformers, or a skip.
oracle_python() {
    for p in "${CAGSR_PYTHON:-python3}" python3; do
        if "$p" -c "import torch, transformers" 2>/dev/null; then
            echo "$p"
            return 0
        fi
    done
    return 1
}
no_oracle="no python with torch and transformers: CAGSR_PYTHON can name one"

cat >samples.jsonl <<'END'
{"kind":"sample","id":"p","cand":0,"prompt_ids":[1,5,9,4,17,3,3,20],"ids":[7,8,30,11,2,6,25,19,31,2],"temperature":1.0,"reward":1.0}
{"kind":"sample","id":"p","cand":1,"prompt_ids":[1,5,9,4,17,3,3,20],"ids":[3,8,11,12,29],"temperature":1.0,"reward":0.0}
END

# Asks for the log-probabilities that cagsr-attn finds.  Warnings that the configuration of
# the source brings about are not ours.
ask() { # directory, name, tolerance, [source]
    cagsr-attn -m "$1" --no-attn samples.jsonl | cagsr-cat -k sample -p |
        jq -c --arg dir "$1" --arg name "$2" --argjson tolerance "$3" --arg source "${4:-}" \
            '{dir: $dir, name: $name, tolerance: $tolerance, source: $source, prompt_ids, ids, ref}' >>asked.jsonl
}

# Asks for texts or conversations, as cagsr-sample takes them.
ask_text() { # directory, name, prompts, [option ...]
    dir=$1 name=$2 file=$3
    shift 3
    cagsr-sample -q -m "$dir" -n 1 --max-tokens 4 --ignore-eos "$@" "$file" | cagsr-cat -k sample -p |
        jq -c --arg dir "$dir" --arg name "$name" \
            '{dir: $dir, name: $name, prompt_ids, prompt, ids, text, raw, messages} | del(.[] | nulls)' >>asked.jsonl
}

# One large step away from a model.
update() { # model, directory
    cagsr-attn -m "$1" --no-attn --logp logp samples.jsonl |
        cagsr-update -q --algo grpo --kl 0 --lr 1e-2 -m "$1" -o "$2" >/dev/null
    ! cmp -s "$1/model.safetensors" "$2/model.safetensors"
}

# Texts of golden vectors as prompts.
texts() { # file
    jq -c 'select(.text != null and .text != "") | {prompt: .text, raw: .text}' "$1"
}

answers() {
    "$py" "$SRC/tests/cli/transformers-oracle.py" <asked.jsonl
}
