# Ablation: the default without the penalty of copies.
algo=grpo weights=$(echo "$default_weights" | tr ',' '\n' | grep -v '^copy' | paste -sd, -)
