"""Independent definitions to check against: plain NumPy, written from the papers."""
