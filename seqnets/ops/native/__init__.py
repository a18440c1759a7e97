"""The C++ kernels of the native CPU backend, and their compilation; `seqnets.ops.backends.native` calls them."""
