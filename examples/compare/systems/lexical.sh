# Control: mention of the salient words, no attention; the penalties of the default stay.
algo=grpo weights="lexical=$lexical,$(echo "$default_weights" | tr ',' '\n' | grep -v -e '^coverage' -e '^focus' | paste -sd, -)"
