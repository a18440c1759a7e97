"""Texts and drawings that need no download."""
