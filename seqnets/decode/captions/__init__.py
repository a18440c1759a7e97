"""Captions and translations from their decoders: greedy, beam and random."""
