"""The contestants of `benchmark_recurrent.py`, one file a framework."""
