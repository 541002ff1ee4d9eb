# The default reward (F12), GRPO, attention of the frozen start.
algo=grpo
