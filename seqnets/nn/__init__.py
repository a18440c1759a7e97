"""Floor 1: Flax NNX modules. They hold the weights; `seqnets.ops` does the arithmetic."""
