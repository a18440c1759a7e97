"""Floor 3: how good a text or a caption is."""
