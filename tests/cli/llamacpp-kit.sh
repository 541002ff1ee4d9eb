# Functions for llamacpp*.t: what llamacpp-oracle.py is asked.

# The python with llama_cpp and gguf, or a skip.
llamacpp_python() {
    for p in "${CAGSR_PYTHON:-python3}" python3; do
        if "$p" -c "import llama_cpp, gguf" 2>/dev/null; then
            echo "$p"
            return 0
        fi
    done
    return 1
}
no_llamacpp="no python with llama_cpp and gguf: CAGSR_PYTHON can name one"

# Asks for greedy answers, as cagsr-sample gives them; with "raw", for the ids of the prompt;
# with $lora, of the file with that adapter's file.
greedy() { # directory, file, name, prompts, tokens, [option ...]
    dir=$1 file=$2 name=$3 prompts=$4 tokens=$5
    shift 5
    cagsr-sample -q -m "$dir" -n 1 -t 0 --max-tokens "$tokens" --ignore-eos "$@" "$prompts" | cagsr-cat -k sample -p |
        jq -c --arg file "$file" --arg name "$name" --arg lora "${lora:-}" \
            '{file: $file, name: $name, prompt_ids, ids, raw,
              lora: (if $lora == "" then null else $lora end)} | del(.[] | nulls)' >>asked.jsonl
}

# Texts of golden vectors as prompts; llama.cpp's do not hold U+0000.
texts() { # file
    jq -c 'select(.text != null and .text != "" and (.text | explode | index(0) | not)) | {prompt: .text, raw: .text}' "$1"
}

# Asks whether FILE has the tensors that llama.cpp's quantiser makes of a float32 file.
quantised() { # float32 file, type, file
    jq -nc '{file: $ARGS.positional[0], name: "quantised to \($ARGS.positional[1])", quantise: $ARGS.positional[1], as: $ARGS.positional[2]}' \
        --args "$@" >>asked.jsonl
}

answers() {
    "$py" "$SRC/tests/cli/llamacpp-oracle.py" <asked.jsonl
}
