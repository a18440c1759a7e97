"""Answers to questions about pictures."""
