# The default reward with the attention of the policy itself, which moves.
algo=grpo scorer=own
