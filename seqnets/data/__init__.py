"""Floor 1: files to arrays. NumPy only; no models."""
