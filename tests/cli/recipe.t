# The recipe of the shipped model: the same seed gives the same bytes, whatever the threads;
# another seed gives others; its questions are the ones that are shipped.
. "$KIT"
need jq

make_model() # SEED DIR THREADS
{
    STEPS=2 THREADS=$3 sh "$SRC/examples/tiny-qa/recipe.sh" "$1" "$2" 2>errors || cat errors
}
make_model 1 a 1
make_model 1 b 2
make_model 2 c 1
cmp a/model/model.safetensors b/model/model.safetensors && echo 'same seed, same bytes'
cmp -s a/model/model.safetensors c/model/model.safetensors || echo 'another seed, other bytes'

world=$SRC/examples/tiny-qa/world.awk
awk -f "$world" -v what=prompts -v n=256 -v seed=2502 >questions
cmp questions "$SRC/examples/tiny-qa/questions.jsonl" && echo 'the shipped questions'
awk -f "$world" -v what=tokenizer >tokenizer
cmp tokenizer "$SRC/examples/tiny-qa/tokenizer.json" && echo 'the shipped tokenizer'

# Answers in words of their own share none with their prompts; the judge knows them.
world() { awk -f "$world" -v reworded=1 "$@"; }
world -v what=prompts -v n=50 -v seed=1 >other
jq -r '(.prompt / " ") as $p | .reference / " " | map(select(IN($p[]))) | .[]' other
jq -r '[.reference, "eos", .reference] | @tsv' other | { printf 'reference\tfinish\ttext\n'; cat; } | world -v what=judge
STEPS=1 sh "$SRC/examples/tiny-qa/recipe.sh" 1 d reworded 2>errors || cat errors
cagsr-sample -m d/model --raw --given reference other | cagsr-cat -k sample -t -F reference,finish,text | world -v what=judge

# The judge knows its four verdicts.
awk -f "$world" -v what=judge <<'END'
reference	finish	text
ann red cup	eos	ann red cup
ann red cup	eos	bob red cup
ann red cup	eos	ann red hat
ann red cup	length	ann red cup
END
