# The default reward with the likelihood in units of the others, at the weight that it has for
# language models.
algo=grpo weights="coherence=$coherent,$(without coherence)"
prepare() { [ -n "$coherent" ] || { say "$system: left out: the default is that"; return 1; }; }
