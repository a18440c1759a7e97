"""Floor 2: other libraries' weights in and out, strictly: nothing is skipped in silence."""
