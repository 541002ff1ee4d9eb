# Ablation: the default without the penalty of copies.
algo=grpo weights=$(without copy)
