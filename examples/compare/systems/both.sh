# The default reward, and mention of the salient words beside it.
algo=grpo weights="lexical=$lexical,$default_weights"
