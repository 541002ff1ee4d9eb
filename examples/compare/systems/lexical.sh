# Control: mention of the salient words, no attention; the penalties of the default stay.
algo=grpo weights="lexical=$lexical,$(without coverage focus)"
