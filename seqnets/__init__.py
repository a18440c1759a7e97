"""seqnets: recurrent layers, character language models and image captioning in JAX."""

__version__ = "0.1.0"
