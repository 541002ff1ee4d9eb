# The default reward with the attention of the policy itself, which moves; coherence and the KL
# stay those of the start.
algo=grpo scorer=own
