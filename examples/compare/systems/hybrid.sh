# CAGSR with a few labels: the default reward, and the score of a reward model that has seen
# $few preferences, in units of its deviation.
algo=grpo
prepare() { reward_model preferences "$few" && weights="$default_weights,judge=$(cat "$cell/rm.weight")"; }
judge() { printf "cagsr-attn -q -m '%s/rm' --score judge" "$cell"; }
