# The real SmolLM2 from its GGUF in transformers: weights, tokenizer, chat template, and once
# more after an update.
. "$KIT"
. "$SRC/tests/cli/transformers-kit.sh"
need jq
py=$(oracle_python) || skip "$no_oracle"
model=$(smollm2) || skip "no SmolLM2: set CAGSR_SMOLLM2 to its .gguf"
G=$SRC/tests/golden

cagsr-convert -q -o real "$model"
texts "$G/tok/smollm2-real/vectors.jsonl" | head -n 40 >texts.jsonl
ask_text real "tokenizer" texts.jsonl --raw
jq -c '.rows[] | {messages}' "$G/smollm2/expected.json" >chats.jsonl
ask_text real "chat template" chats.jsonl
ask real "converted" 5e-4
update real real-updated
ask real-updated "updated" 5e-4
answers
