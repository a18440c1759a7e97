"""Floor 0: pure functions on arrays. No parameters, no Flax, no files."""
