"""Training: the loop, batches, callbacks and progress."""
