"""The training step, checkpoints, and the loop around them."""
