"""Floor 2: whole networks made of `seqnets.nn` and `seqnets.ops`."""
