"""The types of stored numbers, by name."""

DTYPES = ("float32", "bfloat16", "float16")
