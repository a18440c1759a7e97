"""Captions and translations out of their decoders: greedy, beam and random."""
