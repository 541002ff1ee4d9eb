# Ablation: the default without focus.
algo=grpo weights=$(without focus)
