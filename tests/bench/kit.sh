# What the scripts of tests/bench share: places and settings.  Sourced from the source
# tree's root.
#
#   BUILD           the build folder (build)
#   BENCH_MODEL     a model (the one in build/models, where `make demo MODEL=smollm2` puts
#                   SmolLM2; else random weights of SmolLM2-135M's shape)
#   BENCH_THREADS   (1): with one thread programs in a process of their own measure
#                   processor time, which other load changes little
#   BENCH_TIMES     repetitions of each work of a turn, after one that is not counted (1)
BUILD=${BUILD:-build}
out=$BUILD/bench
threads=${BENCH_THREADS:-1}
times=${BENCH_TIMES:-1}
model=${BENCH_MODEL:-}
for file in "$BUILD"/models/*.gguf; do
    if [ -z "$model" ] && [ -e "$file" ]; then
        model=$file
    fi
done
LC_ALL=C OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=$threads CAGSR_THREADS=$threads
PATH=$BUILD:$PATH
export BUILD LC_ALL OPENBLAS_NUM_THREADS OMP_NUM_THREADS CAGSR_THREADS PATH

say() { printf 'bench: %s\n' "$*" >&2; }

die() {
    say "$*"
    exit 1
}

wall() { "$out/wall" "$@"; }

# A config.json of SmolLM2's family: layers, channels, MLP, heads, vocabulary.
config() {
    printf '{"model_type":"llama","architectures":["LlamaForCausalLM"],
        "num_hidden_layers":%d,"hidden_size":%d,"intermediate_size":%d,
        "num_attention_heads":%d,"num_key_value_heads":%d,"vocab_size":%d,
        "max_position_embeddings":8192,"rms_norm_eps":1e-5,"rope_theta":100000,
        "hidden_act":"silu","tie_word_embeddings":true,"torch_dtype":"float32"}\n' "$@"
}

# A model of random weights in $out/NAME, made once:  random_model NAME SIZES OF CONFIG ...
random_model() {
    name=$1
    shift
    [ -d "$out/$name" ] && return
    config "$@" >"$out/$name.json"
    cagsr-init -q -o "$out/$name" "$out/$name.json"
}

if [ -z "$model" ]; then
    random_model random-135m 30 576 1536 9 3 49152
    model=$out/random-135m
fi

# Prompts of N steps, four each, as JSON lines; every prompt has an id of its own.
prompts() {
    awk -v steps="$1" '{ text[NR] = $0 }
        END { for (s = 1; s <= steps; s++) for (i = 1; i <= 4; i++)
            printf "{\"id\":\"%d.%d\",\"prompt\":\"%s\"}\n", s, i, text[i] }' \
        tests/bench/prompts.txt
}
