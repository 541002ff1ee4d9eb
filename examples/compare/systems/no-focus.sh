# Ablation: the default without focus.
algo=grpo weights=$(echo "$default_weights" | tr ',' '\n' | grep -v '^focus' | paste -sd, -)
