# The default reward (F12), PPO with a value head.
algo=ppo lr=$lr_ppo update=$update_ppo
