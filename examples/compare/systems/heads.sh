# Learned heads: nothing tells which of the prompt's words are asked about, but heads are weighed
# by how well they tell the start's answers from those to other prompts.  No labels.
algo=grpo words=$all_words attn="--heads $cell/heads"
prepare()
{
    [ -e "$cell/heads" ] || {
        cagsr-audit -q --make mismatched --seed "$seed" "$base/first.rec" |
            cagsr-attn -q -m "$start" --heads each --no-logp --max-record 1G |
            cagsr-audit -q --max-record 1G --fit "$cell/heads.new" >"$cell/heads.fit"
        mv "$cell/heads.new" "$cell/heads" || die "$system: no weights of heads"
    }
    calibrate
}
