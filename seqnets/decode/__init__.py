"""Floor 3: sequences out of trained models: sampling, beam search, scoring."""
