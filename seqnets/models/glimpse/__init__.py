"""Networks that look at a picture step by step: one names what it sees, one draws."""
