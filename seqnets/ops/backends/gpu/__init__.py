"""Kernels for NVIDIA GPUs that nothing chooses by itself: XLA's own loop is as fast or faster there. Ask for them by name."""
