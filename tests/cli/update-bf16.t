# cagsr-update --dtype bf16: it says so, takes samples of its own type, does not depend on
# threads, can be taken up again, and learns what float32 learns.
. "$KIT"
need jq
M=$SRC/examples/tiny-qa/model

echo "-- answers learnt by heart"
awk -f "$SRC/examples/tiny-qa/world.awk" -v what=prompts -v n=6 -v seed=9 >asked
for word in red hat cup saw box map; do
    echo "$word"
done | jq -Rc '{response: .}' | paste -d '\n' asked - | jq -c -s '_nwise(2) | add | {prompt, response}' >data.jsonl
for type in f32 bf16; do
    cagsr-update -q -m "$M" --raw --algo sft --lr 3e-3 --epochs 60 --dtype $type -o $type data.jsonl >$type.rec
    cagsr-sample -q -m $type --raw -t 0 -n 1 --max-tokens 4 asked | cagsr-cat -k sample | jq -r .text >$type.text
    cagsr-cat -k metric $type.rec | jq -s '.[0].loss > 1 and .[-1].loss < .05'
done
cat f32.text
cmp f32.text bf16.text && echo "bf16 has learnt the same"
cmp -s f32/model.safetensors bf16/model.safetensors || echo "with weights of its own"

echo "-- who says so"
for type in f32 bf16; do
    cagsr-cat -H $type.rec | jq -r 'select(.kind == "header").pg[0] | .dtype, (.kernel | sub("[ /].*"; ""))'
done

echo "-- samples of either type"
awk -f "$SRC/examples/tiny-qa/world.awk" -v what=prompts -v n=24 -v seed=3 >prompts.jsonl
for type in f32 bf16; do
    cagsr-sample -q -m "$M" -n 4 --raw --max-tokens 6 --seed 2 --dtype $type prompts.jsonl |
        cagsr-attn -q -m "$M" --dtype $type | cagsr-reward -q --salient sentence --rep-n 2 --t-min 0 >run.$type
    cagsr-update -m "$M" --dtype bf16 --algo grpo --batch 24 -o x -f run.$type 2>note >/dev/null
    sed -n 's/.*(mean \(.*\)) over .* tokens of the sampler/\1 /p' note |
        awk '{ sub(/^[^ ]* , /, $1 < .02 ? "near: " : "far: "); print }'
done

echo "-- threads, and taking up again"
A="--algo ppo --dtype bf16 --lr 1e-3 --batch 6"
cagsr-update -q -m "$M" $A -j 1 -o whole run.bf16 >/dev/null
cagsr-update -q -m "$M" $A -j 2 -o two run.bf16 >/dev/null
diff -r whole two && echo same
cagsr-update -q -m "$M" $A --steps 2 -o half run.bf16 >/dev/null
cagsr-update -q --resume half $A -o half run.bf16 >/dev/null
diff -r whole half && echo same

echo "-- what there is not"
status cagsr-update -m "$M" --algo sft --dtype f16 -o x data.jsonl
CAGSR_ISA=sse9 status cagsr-update -m "$M" --algo sft -o y data.jsonl
