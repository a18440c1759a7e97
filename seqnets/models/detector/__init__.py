"""Detectors: the boxes and classes of all things in a picture, from heads on named features."""
