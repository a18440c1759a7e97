"""The C++ kernels of the native CPU backend, and what compiles them; `seqnets.ops.backends.native` calls them."""
