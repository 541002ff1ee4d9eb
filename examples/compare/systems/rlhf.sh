# A stand-in for RLHF: a reward model from preferences, then PPO on its score.  PREFERENCES
# names the file: lines with prompt (or instruction, input), chosen, rejected.  tiny-qa makes
# its own, by the judge of its world.
algo=ppo lr=$lr_ppo update=$update_ppo
prepare() { reward_model preferences "$pairs" && weights=judge=$(cat "$cell/rm.weight"); }
judge() { printf "cagsr-attn -q -m '%s/rm' --score judge" "$cell"; }
