# Ablation: the default without the log-probability: attention and penalties only.
algo=grpo weights=$(echo "$default_weights" | tr ',' '\n' | grep -v '^coherence' | paste -sd, -)
