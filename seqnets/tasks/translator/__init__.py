"""A text out of a text."""
