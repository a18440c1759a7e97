"""Texts: files to characters to windows of a stream."""
