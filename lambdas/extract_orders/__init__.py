"""From the shop's SQL source to files that a training job and a batch transform read."""
