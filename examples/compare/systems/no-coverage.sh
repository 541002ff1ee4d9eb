# Ablation: the default without coverage.
algo=grpo weights=$(without coverage)
