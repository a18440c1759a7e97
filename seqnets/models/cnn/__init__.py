"""Convolutional networks: one file per family, variants as tables."""
