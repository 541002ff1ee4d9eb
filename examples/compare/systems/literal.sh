# The paper's sums to the letter, and PPO.
algo=ppo lr=$lr_ppo update=$update_ppo options=--literal scales=''
weights='coverage=1,focus=.3,repetition=-1.5,copy=-1.5'
