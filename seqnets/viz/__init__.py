"""Floor 3: pictures out of trained models."""
