"""Captions of image files: read ahead by threads, decoded in batches of one shape."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import jax
import numpy as np
from jax import Array

from seqnets import settings
from seqnets.data.images.preprocessing import Picture, Preprocessing
from seqnets.decode.captions.config import CaptionConfig
from seqnets.decode.captions.decoding import decode_captions
from seqnets.decode.captions.hypothesis import Caption
from seqnets.decode.given import key_of
from seqnets.decode.pictures import by_batches, pixels_ahead
from seqnets.errors import UserError


def caption(model: Any, image: Picture, *, key: Array | None = None, **overrides: Any) -> Any:
    """Return the best caption of one image.

    Args:
        model: a `Captioner` that reads images.
        image: a path, a picture of Pillow, an array `(H, W, 3)` of uint8, or the bytes of a file.
        key: a random key, for method "sample".
        **overrides: settings of `CaptionConfig`, such as beam=5 or max_length=30.

    Returns:
        A `Caption`; a list of them if `n_best` is above 1.

    Raises:
        UserError: the image cannot be read, or a setting is out of range.

    Example:
        >>> from flax import nnx
        >>> from seqnets.data import WordVocabulary
        >>> from seqnets.models.captioner import Captioner
        >>> words = WordVocabulary(("a", "dog"))
        >>> model = Captioner(words, hidden_features=8, image_size=16, encoder_width=2, rngs=nnx.Rngs(0))
        >>> found = caption(model, np.zeros((20, 30, 3), np.uint8), max_length=3)
        >>> found.maps.shape[1:], found.image.shape
        ((2, 2), (16, 16, 3))
    """
    config = settings.replaced(CaptionConfig(), overrides, "captioning")
    (found,) = caption_images(model, [image], config, key=key)
    if isinstance(found, UserError):
        raise found
    return found if config.n_best > 1 else found[0]


def caption_images(
    model: Any, images: Iterable[Picture], config: CaptionConfig | None = None, *, key: Array | None = None, batch: int = 16
) -> Iterator[list[Caption] | UserError]:
    """Yield the captions of each image, in order.

    Args:
        model: a `Captioner` that reads images.
        images: paths, pictures, uint8 arrays or the bytes of files; consumed a little ahead.
        config: how to decode; the defaults of `CaptionConfig` if None.
        key: a random key, for method "sample".
        batch: images at a time, at least 1.

    Yields:
        The captions of an image, with `image` set, or the error of an unreadable image.

    Raises:
        UserError: the model reads stored features, not images.
    """
    config, key = config or CaptionConfig(), key_of(key)
    rule = image_rule(model)

    def captions(number: int, pixels: list[np.ndarray]) -> Iterator[list[Caption]]:
        own_key = jax.random.fold_in(key, number)
        found = decode_captions(model, np.stack(pixels), config, key=own_key, batch=len(pixels))
        for best, image in zip(found, pixels):
            yield [replace(each, image=shown(rule, image)) for each in best]

    yield from by_batches(pixels_ahead(rule, images, batch=batch), batch, captions)


def image_rule(model: Any) -> Preprocessing:
    """Return a captioner's preprocessing: its own rule, or a resize to a square.

    Raises:
        UserError: the model reads stored features, not images.
    """
    own = getattr(model, "preprocessing", None)
    if getattr(model, "encoder", own) is None:
        raise UserError("this captioner reads stored features, not images; pass them to decode_captions (or --features STORE)")
    if own is not None:
        return own
    side = model.config.image_size
    return Preprocessing(resize=(side, side), crop=None, scale=1 / 127.5, mean=(1.0,) * 3, std=(1.0,) * 3)


def shown(rule: Preprocessing, pixels: np.ndarray) -> np.ndarray:
    """Return the pixels of a preprocessed image as a person sees them: uint8 `(H, W, 3)` in the order RGB."""
    if rule.channels == "gray":
        return np.repeat(pixels, 3, axis=2)
    return np.ascontiguousarray(pixels[:, :, ::-1]) if rule.channels == "bgr" else pixels
