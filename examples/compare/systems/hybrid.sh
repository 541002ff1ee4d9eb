# CAGSR with a few labels: the default reward, and the score of a reward model that has seen
# $few preferences, in units of its deviation.
algo=grpo weights="$default_weights,judge=1"
prepare() { reward_model preferences "$few"; }
judge() { printf "cagsr-attn -q -m '%s/rm' --score judge" "$cell"; }
