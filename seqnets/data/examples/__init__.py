"""Examples with labels, answers or translations, as arrays of one shape."""
