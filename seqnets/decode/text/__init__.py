"""Texts out of character models: sampling, beam search, scores."""
