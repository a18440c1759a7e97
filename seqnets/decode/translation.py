"""Translations of texts."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from seqnets.data.examples.examples import Ragged
from seqnets.decode.captions.decoding import decode_captions
from seqnets.decode.captions.hypothesis import Caption
from seqnets.decode.text_classes import rounded_width
from seqnets.models.sequence.translator import Source


def translate(model: Any, texts: Sequence[str], **settings: Any) -> list[list[Caption]]:
    """Translate texts of any length by beam search, greedily or at random.

    Args:
        model: a `Translator`.
        texts: any number.
        **settings: settings of `seqnets.decode.captions.decoding.decode_captions`: `method`, `beam`, `n_best`, `max_length`, ...

    Returns:
        For each text its best translations; the `attention` of each is `(T, L)`, with L at least the number of source tokens.

    Example:
        >>> from flax import nnx
        >>> from seqnets.data.words.vocabulary import token_vocabulary
        >>> from seqnets.models.sequence.translator import Translator, TranslatorConfig
        >>> letters = token_vocabulary(["abc"], "chars")
        >>> model = Translator(letters, letters, TranslatorConfig(cell="gru", hidden_features=4), rngs=nnx.Rngs(0))
        >>> (best,), = translate(model, ["cab"], max_length=5)
        >>> len(best.tokens) <= 5
        True
    """
    return translate_tokens(model, [model.source.encode(text) for text in texts], **settings) if texts else []


def translate_tokens(model: Any, sources: Sequence[np.ndarray], **settings: Any) -> list[list[Caption]]:
    """Translate sources that are already tokens; arguments as for `translate`."""
    ragged = Ragged.of(sources, np.int32)
    tokens = ragged.padded(np.arange(len(ragged)), rounded_width(sources), model.source.pad)
    return decode_captions(model, Source(tokens, ragged.lengths.astype(np.int32)), **settings)
