"""Training: the loop, batches, and what compile was told."""
