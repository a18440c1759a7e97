"""Floor 2: whole networks made of `seqnets.nn` and `seqnets.ops`."""

from seqnets.models.char_lm import CharLM, CharLMConfig

__all__ = ["CharLM", "CharLMConfig"]
