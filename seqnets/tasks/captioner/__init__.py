"""Sentences for pictures."""
