# Control: mean log-probability under the frozen start alone.
algo=grpo weights=coherence=1
