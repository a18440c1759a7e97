"""`seqnets serve RUN`: completions for other programs; the server is that of `seqnets show`."""

from seqnets.cli.show import serve as main

__all__ = ["main"]
