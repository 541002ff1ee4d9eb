# Synthetic Preference RL: a Bradley-Terry reward model learns, from answers of the start, that
# an answer is better than another prompt's, than itself spoilt, and one at temperature .7 better
# than one at 1.5; then PPO on its score.  No attention anywhere.
algo=ppo lr=$lr_ppo update=$update_ppo
prepare() { reward_model synthetic && weights=judge=$(cat "$cell/rm.weight"); }
judge() { printf "cagsr-attn -q -m '%s/rm' --score judge" "$cell"; }
