"""A character model of any text."""
