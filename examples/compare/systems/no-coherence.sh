# Ablation: the default without the log-probability: attention and penalties only.
algo=grpo weights=$(without coherence)
