"""Convolutional networks, one family a file, variants as tables."""
