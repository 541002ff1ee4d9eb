# Functions for the shell tests (tests/cli/run.sh says what else they get).

# Ends the test as skipped, saying why.
skip() {
    echo "$*"
    exit 77
}

# Ends the test as skipped unless the programs are there.
need() {
    for program in "$@"; do
        command -v "$program" >/dev/null || skip "no $program on this machine"
    done
}

# A python that has a module: `py=$(python_with msgpack) || skip ...`.
python_with() {
    for p in python3 /usr/bin/python3; do
        if "$p" -c "import $1" 2>/dev/null; then
            echo "$p"
            return 0
        fi
    done
    return 1
}

# Runs a command and prints what it said on standard error, and its exit status.
status() {
    rc=0
    "$@" 2>status.err || rc=$?
    cat status.err
    echo "exit $rc"
}

# Reads JSON lines from standard input into a stream: stream_of FILE.
stream_of() {
    cagsr-cat -s -f -o "$1"
}

# The real model's file, or a skip: CAGSR_SMOLLM2, else what is in build/models.
smollm2() {
    if [ -n "${CAGSR_SMOLLM2+set}" ]; then
        set -- "$CAGSR_SMOLLM2"
    else
        set -- "$BUILD"/models/*.gguf "$SRC"/build/models/*.gguf
    fi
    for m in "$@"; do
        if [ -f "$m" ]; then
            echo "$m"
            return 0
        fi
    done
    return 1
}

# A tiny model with random weights, a tokenizer of single characters ("<eos>" 0, "<|im_start|>"
# 1, "<|im_end|>" 2, "!" 3 and on) and ChatML: char_model DIR.  Needs jq.
char_model() {
    mkdir "$1"
    cp "$SRC"/tests/golden/smollm2-tiny/config.json "$SRC"/tests/golden/smollm2-tiny/model.safetensors "$1"
    jq -n '
        def char: [.] | implode;
        ([range(33; 127) | char] + ["Ġ", "Ċ"]) as $chars
        | ["<eos>", "<|im_start|>", "<|im_end|>"] as $special
        | ($special + $chars + ["Ġa"]) as $all
        | {added_tokens: [range(3) | {id: ., content: $special[.], special: true}],
           pre_tokenizer: {type: "ByteLevel", add_prefix_space: false},
           decoder: {type: "ByteLevel"},
           model: {type: "BPE", vocab: ([$all | to_entries[] | {key: .value, value: .key}] | from_entries),
                   merges: ["Ġ a"]}}' >"$1/tokenizer.json"
    jq -n '{eos_token: "<eos>", chat_template:
        "{% for message in messages %}{{\"<|im_start|>\" + message[\"role\"] + \"\n\" + message[\"content\"] + \"<|im_end|>\n\"}}{% endfor %}{% if add_generation_prompt %}{{\"<|im_start|>assistant\n\"}}{% endif %}"}' \
        >"$1/tokenizer_config.json"
}

# A run of 200 prompts with 8 answers of 64 tokens, which read 67, as streams one after another.
large_run() {
    python3 "$SRC/tests/cli/large-run.py" | cagsr-reward -o two.rec
    set --
    while [ $# -lt 100 ]; do set -- "$@" two.rec; done
    cat "$@"
}
