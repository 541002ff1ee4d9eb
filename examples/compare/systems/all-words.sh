# The default reward that is not told which of the prompt's words are asked about.
algo=grpo words=$all_words
prepare() { told_nothing && calibrate; }
