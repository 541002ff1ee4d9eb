# Plain policy gradient: REINFORCE with a running mean, no clipping, no critic, the same reward.
algo=reinforce
