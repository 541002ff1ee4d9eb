# Placebo: a random reward.
algo=grpo weights=random=1
