# A language model and prompts with references.  What is measured needs no attention: relevance
# by a sentence encoder (ENCODER, a directory of sentence-transformers; without it, by words),
# overlap with the references, perplexity under the start.
lr_ppo=3e-5 update_ppo='--epochs 1' # as many optimizer steps as the others
steps=20 eval_steps='10 20' batch=4 n=8 lr=3e-5 kl=0.05 eval_n=${EVAL_N:-2} calibrate=${CALIBRATE:-50}
lexical=.6 coherent='' pairs=200 few=32 rm_lr=1e-5 rm_epochs=1
tokens=${TOKENS:-32}
sample="--max-tokens $tokens"
measures=''
all_words='' # what systems count that are not told which words are asked about
default_weights='coverage=.125/s,focus=.0625/s,coherence=.1,repetition=-2,copy=-2,no_end=-.125,short=-.25'

evaluate() # STREAM
{
    cagsr-eval -q -F tsv -B 2000 ${ENCODER:+--encoder "$ENCODER"} "$1" |
        awk -F '\t' -v OFS='\t' 'NR > 1 { print $1, $2, $3, $4 }'
}

# PREFERENCES: lines with prompt (or instruction, input), chosen, rejected.
preferences() # COUNT
{
    if [ -z "${PREFERENCES:-}" ]; then
        say "$system: left out: PREFERENCES names no file of preferences"
        return 1
    fi
    head -n "$1" "$PREFERENCES"
}
