"""What `benchmark_images.py` races: seqnets' networks and plain torch ones of the same weights."""
