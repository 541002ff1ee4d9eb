# The part of demo.sh that trains the model of examples/tiny-qa, which is shipped.
#
# The table, build/demo/summary.tsv: shares of answers to 256 fixed questions, 8 each at
# temperature 1, that are right, off_topic (about somebody else), ungrounded (the right
# person with things that are not theirs) and malformed; `greedy` is the share of likeliest
# answers that are right.  None of this is ever part of a reward.

world=examples/tiny-qa/world.awk
questions=examples/tiny-qa/questions.jsonl
model=${TINY_MODEL:-examples/tiny-qa/model}
seed=${TINY_SEED:-1}
steps=${TINY_STEPS:-60}
# Answers have four tokens: bigrams count as repeats, and every layer but the first reads.
# The world has one sentence about each person: the words that count are those of the
# sentences with the prompt's rarest word, the name that is asked for.
measures='--salient sentence --rep-n 2'
# The default reward's components, in deviations of this model.
cagsr='coverage=1/s,focus=.5/s,coherence=1,repetition=-16,copy=-16,no_end=-1,short=-2'
# Two programs of a pipe work by turns.
export CAGSR_THREADS=1

judge() # OPTIONS OF cagsr-sample
{
    cagsr-sample -q -m "$1" --raw --max-tokens 6 --seed 7 $2 $questions |
        cagsr-cat -k sample -t -F reference,finish,text | awk -f $world -v what=judge
}

evaluate() # ROW MODEL
{
    sampled=$(judge "$2" '-n 8 -t 1')
    greedy=$(judge "$2" '-n 1 -t 0')
    printf '%s\t%s\t%s\n' "$1" "$sampled" "${greedy%%	*}" >> "$out/summary.tsv"
}

# The whole loop is one pipe: each update goes back to the sampler through a directory.
train() # NAME WEIGHTS
{
    cagsr-sample -q --follow "$out/$1" --lag 0 --batch-prompts 16 --raw -n 8 --max-tokens 6 \
        --seed "$seed" "$out/prompts.jsonl" |
        cagsr-attn -q -m "$model" |
        cagsr-reward -q $measures -s "$out/scales.json" -w "$2" --seed "$seed" |
        cagsr-update -q -m "$model" --publish "$out/$1" --algo grpo --batch 16 --lr 3e-4 \
            --kl 0.05 --kl-stop 0 --seed "$seed" > "$out/$1.metrics"
}

rm -rf "$out"
mkdir -p "$out"
awk -f $world -v what=prompts -v n=$((16 * steps)) -v seed="$((seed + 100))" > "$out/prompts.jsonl"
printf 'run\tright\toff_topic\tungrounded\tmalformed\tgreedy\n' > "$out/summary.tsv"

say 'A model of 151,360 parameters reads four facts and is asked about one person.  It was'
say 'taught to answer about whoever comes last.  Nobody tells it what is right: it learns'
say 'from how its own answers read the question.'
say
evaluate start "$model"

head -n 100 "$out/prompts.jsonl" | cagsr-sample -q -m "$model" --raw -n 8 --max-tokens 6 \
    --seed "$seed" | cagsr-attn -q -m "$model" > "$out/first.attn"
cagsr-reward -q $measures --calibrate "$out/scales.json" "$out/first.attn" > /dev/null
cagsr-reward -q $measures -s "$out/scales.json" -w "$cagsr" --explain=record "$out/first.attn" \
    > "$out/first.rewarded"
say 'A prompt before any training: its candidates ranked, then the best and the worst.  Shaded'
say '(or in brackets, for the most read): how much of its attention a step gave to a word.'
say
show "$out/first.rewarded" q0

say "Training: $steps updates of 16 prompts with 8 answers each ..."
train cagsr "$cagsr"
evaluate cagsr "$out/cagsr/current"
say '... and the same with a random reward.'
train random random=1
evaluate random "$out/random/current"

say
awk -F '\t' '{ printf "  %-8s", $1; for (i = 2; i <= NF; i++) printf "  %10s", $i; print "" }' \
    "$out/summary.tsv"
