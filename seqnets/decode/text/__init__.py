"""Texts from character models: sampling, beam search, scoring."""
