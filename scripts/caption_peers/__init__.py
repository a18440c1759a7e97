"""Other captioners, for the benchmarks."""
