# Placebo: the default reward, but which words of the prompt count is drawn.
algo=grpo
judge()
{
    printf "cagsr-cat -H | jq -c --argjson seed %s -f '%s/random-words.jq' | cagsr-cat -s" \
        "$seed" "$here"
}
