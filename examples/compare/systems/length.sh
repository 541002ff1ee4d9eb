# Placebo: longer is better.
algo=grpo weights=length=1
