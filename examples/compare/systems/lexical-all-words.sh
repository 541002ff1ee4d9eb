# Control: mention of any of the prompt's words, no attention; nothing tells which are asked about.
# It weighs what coverage does.
algo=grpo words=$all_words
prepare()
{
    told_nothing || return 1
    calibrate
    weights=lexical=$(cagsr-reward -q $words -w lexical=1 "$base/first.rec" | per_deviation lexical),$(without coverage focus)
}
