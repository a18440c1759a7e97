"""Features of pictures on disk."""
