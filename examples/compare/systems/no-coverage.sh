# Ablation: the default without coverage.
algo=grpo weights=$(echo "$default_weights" | tr ',' '\n' | grep -v '^coverage' | paste -sd, -)
