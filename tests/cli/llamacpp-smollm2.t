# The real SmolLM2, through a directory to GGUF, in llama.cpp: ids of texts, greedy answers in
# float32, with an adapter that was trained here, and quantised as llama.cpp quantises.
. "$KIT"
. "$SRC/tests/cli/llamacpp-kit.sh"
need jq
py=$(llamacpp_python) || skip "$no_llamacpp"
model=$(smollm2) || skip "no SmolLM2: set CAGSR_SMOLLM2 to its .gguf"
G=$SRC/tests/golden

cagsr-convert -q -o real "$model"
cagsr-convert -q --gguf --type f32 -o real.gguf real
jq -c '.rows[] | {prompt_ids}' "$G/smollm2/expected.json" >chats.jsonl
greedy real real.gguf "greedy" chats.jsonl 24
texts "$G/tok/smollm2-real/vectors.jsonl" | head -n 40 >texts.jsonl
greedy real real.gguf "tokenizer" texts.jsonl 1 --raw
cagsr-sample -q -m real -n 2 --max-tokens 8 --seed 1 chats.jsonl | cagsr-cat -k sample | jq -c '.reward = 1' |
    cagsr-update -q --algo sft --lr 3e-2 --steps 2 -m real --lora-rank 8 --lora-target all-linear -o trained >/dev/null
cagsr-convert -q --gguf -o trained.gguf trained
lora=trained.gguf greedy trained real.gguf "greedy with an adapter" chats.jsonl 24
for type in q8_0 q4_0; do
    cagsr-convert -q --gguf --type $type -o real-$type.gguf real
    quantised real.gguf $type real-$type.gguf
done
answers
