# LoRA through the tools: a new adapter, the base as reference, resuming, publishing, merging,
# and what does not fit together.
. "$KIT"
need jq
M=$SRC/examples/tiny-qa/model
G=$SRC/tests/golden

awk -f "$SRC/examples/tiny-qa/world.awk" -v what=prompts -v n=12 -v seed=3 >prompts.jsonl
S="-n 4 --raw --max-tokens 6 --seed 2"
cagsr-sample -q -m "$M" $S prompts.jsonl >base.rec
cagsr-cat -k sample base.rec | jq -c '.reward = .cand % 3' >run.jsonl
metric() { cagsr-cat -k metric "$1" | jq -c "[.[\"$2\"]]" | head -n "${3:-1}"; }
policy() { cagsr-cat -k sample "$1" | jq -r .policy | sort -u; }
rewarded() { cagsr-cat -k sample | jq -c '.reward = .cand % 3'; }

echo "-- a new adapter is its base: ratio 1, no KL, no reference needed"
P="--lr 1e-2 --batch 6 --minibatch 3 -j 1"
cagsr-update -q -m "$M" --lora-rank 4 $P -o a run.jsonl >a.rec
metric a.rec ratio/first_step_max_dev
# the last bit of a log-probability near 0: the sampler sums in another order than xent
metric a.rec sampling/logp_difference_max | jq -c 'map(. < 1e-12)'
metric a.rec objective/kl
ls a a/training
jq -c '[.peft_type, .r, .lora_alpha, .target_modules, .task_type]' a/adapter_config.json
[ "$(jq -r .base_model_name_or_path a/adapter_config.json)" = "$(realpath "$M")" ] && echo "names its base"

echo "-- switched off it is the reference that --ref and the records' ref are"
cagsr-sample -q -m a $S prompts.jsonl | rewarded >b.jsonl
cagsr-update -q -m a --algo grpo $P -o b run.jsonl >/dev/null 2>&1 || echo "samples of the base are another policy's"
cagsr-update -q -m a --algo grpo $P -o off b.jsonl >off.rec
cagsr-update -q -m a --algo grpo $P --ref "$M" -o model b.jsonl >model.rec
cagsr-attn -m "$M" --no-attn b.jsonl | cagsr-update -q -m a --algo grpo $P -o records >records.rec
cmp off/adapter_model.safetensors model/adapter_model.safetensors && echo "as --ref"
cmp off/adapter_model.safetensors records/adapter_model.safetensors && echo "as the records"
metric off.rec objective/kl | jq '.[0] > 0.001'

echo "-- the hash is of base and adapter; the base stays what it is"
[ "$(policy base.rec)" = "$(cagsr-cat -k sample base.rec | jq -r .policy | head -n 1)" ] && echo one
cagsr-sample -q -m a $S prompts.jsonl >with.rec
cagsr-sample -q -m "$M" --adapter a $S prompts.jsonl >beside.rec
[ "$(policy with.rec)" != "$(policy base.rec)" ] && echo "another policy"
cagsr-cat -k sample with.rec >with; cagsr-cat -k sample beside.rec >beside
cmp with beside && echo "the same beside -m"
cagsr-attn -m "$M" with.rec | cagsr-cat -k sample | jq -r .attn.model | sort -u | cmp - - <<END && echo "a frozen scorer"
$(cagsr-attn -m "$M" base.rec | cagsr-cat -k sample | jq -r .attn.model | sort -u)
END
for o in "--batch 1 -j 1" "--batch 3 -j 2" "--batch 48 -j 2"; do
    cagsr-sample -q -m a $S $o prompts.jsonl | cagsr-cat -k sample | cmp - with && echo "the same: $o"
done

echo "-- merged"
cagsr-convert -q --merge -o merged a
for m in a merged; do # log-probabilities of the same answers
    cagsr-attn -m $m --no-attn with.rec | cagsr-cat -k sample -p | jq '.ref[]' >ref.$m
done
paste ref.a ref.merged | awk '{ d = $1 - $2; if (d < 0) d = -d; if (d > w) w = d } END { print (NR > 100 && w < 1e-4) ? "agrees" : "differs by " w }'
cagsr-convert -q --merge --adapter a -o merged2 "$M"
cmp merged/model.safetensors merged2/model.safetensors && echo "the same with --adapter"
ls merged | grep -c '^tokenizer\|^config.json'

echo "-- on a GGUF base, whose names are others"
cagsr-attn -m "$G/gguf/llama-tiny-f32.gguf" --adapter "$G/llama-tiny-lora" --no-attn >1.rec <<'END'
{"kind":"sample","id":"p","cand":0,"n":1,"prompt_ids":[1,5,9],"ids":[7,8,30],"temperature":1.0}
END
cagsr-cat -k sample 1.rec | cagsr-attn -m "$G/llama-tiny-lora" --no-attn --logp again |
    cagsr-cat -k sample -p | jq -c '[.ref, .again] | transpose | map(.[0] - .[1] | fabs < 1e-5) | all'

echo "-- gradients are named as in adapter_model.safetensors"
cagsr-update -q -m "$M" --algo sft --lora-rank 2 --lora-target q_proj --grads g run.jsonl >/dev/null
n=$(od -An -N8 -tu8 g | tr -d ' ')
tail -c +9 g | head -c "$n" | tr '{' '\n' | grep -o '"base[^"]*"' | head -n 2

echo "-- resumed"
cagsr-update -q -m "$M" --lora-rank 4 $P --steps 1 -o half run.jsonl >/dev/null
cagsr-update -q --resume half $P -o half run.jsonl >/dev/null
diff -r a half && echo same
cagsr-update -q --resume a --new-data --lora-rank 4 $P --steps 3 -o a2 b.jsonl | cagsr-cat -k metric | jq .step

echo "-- killed, resumed"
W="--lora-rank 4 $P --save-every 1"
mkfifo in
{ head -n 40 run.jsonl; exec sleep 300; } >in &
feeder=$!
cagsr-update -q -m "$M" $W -o saved <in >/dev/null 2>killed.err &
victim=$!
n=0
until [ -e saved/adapter_config.json ] || [ $n -ge 3000 ]; do sleep 0.02; n=$((n + 1)); done
kill -9 $victim $feeder
wait $victim $feeder 2>/dev/null || :
cagsr-update -q --resume saved $P -o saved run.jsonl >/dev/null
diff -r a saved && echo same

echo "-- published, followed: versions are adapters, and strictly on-policy"
cagsr-sample -q --follow v --lag 0 --batch-prompts 4 $S prompts.jsonl | cagsr-attn -m "$M" |
    cagsr-reward --salient sentence --rep-n 2 --t-min 0 |
    cagsr-update -q -m "$M" --lora-rank 4 --algo grpo --lr 1e-2 --batch 4 --publish v >follow.rec
cagsr-cat -k metric follow.rec | jq -c '."sampling/logp_difference_max" < 1e-5'
ls v
ls v/current/

echo "-- what does not fit"
e() {
    rc=0
    "$@" >/dev/null 2>said || rc=$?
    sed "s|$SRC/||g" said
    echo "exit $rc"
}
e cagsr-update -q -m a --lora-rank 5 $P -o x b.jsonl
e cagsr-update -q -m "$M" --lora-rank 4 --lora-target lm_head $P -o x run.jsonl
e cagsr-update -q -m "$M" --lora-rank 4 --lora-target '(' $P -o x run.jsonl
e cagsr-update -q -m "$M" --lora-alpha 4 $P -o x run.jsonl
e cagsr-update -q -m "$M" --lora-rank 0 $P -o x run.jsonl
e cagsr-update -q --resume a --adapter a $P -o x run.jsonl
e cagsr-attn -m a --adapter a run.jsonl
e cagsr-attn -m "$G/gpt2-tiny" --adapter a run.jsonl
e cagsr-convert -o x a
e cagsr-convert -o x --merge "$M"
cp -r a lost
jq '.base_model_name_or_path = "org/name"' a/adapter_config.json >lost/adapter_config.json
e cagsr-attn -m lost run.jsonl
jq '.use_dora = true' a/adapter_config.json >lost/adapter_config.json
e cagsr-attn -m lost run.jsonl
rm lost/adapter_config.json
e cagsr-attn -m lost run.jsonl
