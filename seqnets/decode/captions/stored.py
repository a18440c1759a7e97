"""Captions of images whose features are in a store."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax import Array

from seqnets.data.features.store import FeatureStore
from seqnets.data.images.files import ImageError
from seqnets.data.images.preprocessing import Preprocessing
from seqnets.decode.captions.config import CaptionConfig
from seqnets.decode.captions.decoding import decode_captions
from seqnets.decode.captions.hypothesis import Caption
from seqnets.decode.captions.images import shown
from seqnets.decode.given import key_of
from seqnets.decode.pictures import by_batches
from seqnets.errors import UserError


def caption_stored(
    model: Any,
    paths: Sequence[Path],
    store: FeatureStore | str | PathLike[str],
    config: CaptionConfig | None = None,
    *,
    layer: str | None = None,
    key: Array | None = None,
    batch: int = 64,
) -> Iterator[list[Caption] | UserError]:
    """Yield the captions of each image, in order, from features in a store.

    Args:
        model: a `Captioner` of stored features.
        paths: images with features in the store.
        store: the store, or its folder.
        config: how to decode; the defaults of `CaptionConfig` if None.
        layer: which layer's features; the store's first if None.
        key: a random key, for method "sample".
        batch: images at a time.

    Yields:
        The captions of an image (with `image` set if attention is kept), or the reason it has none.

    Raises:
        UserError: the store or layer does not exist, or does not match the model's input.
    """
    store = store if isinstance(store, FeatureStore) else FeatureStore.open(store)
    config, key = config or CaptionConfig(), key_of(key)
    rule = Preprocessing.from_json(store.header.made_by["preprocessing"]) if config.attention else None

    def captions(number: int, found: list[tuple[Path, int]]) -> Iterator[list[Caption] | UserError]:
        rows, own_key = np.array([row for _, row in found], np.int64), jax.random.fold_in(key, number)
        best = decode_captions(model, store.gather(rows, layer), config, key=own_key, batch=len(rows))
        for each, (path, _) in zip(best, found):
            yield _with_image(each, path, rule)

    yield from by_batches((_row(store, path) for path in paths), batch, captions)


def _row(store: FeatureStore, path: Path) -> tuple[Path, int] | UserError:
    try:
        return path, int(store.rows([path])[0])
    except UserError as error:
        return error


def _with_image(found: list[Caption], path: Path, rule: Preprocessing | None) -> list[Caption] | UserError:
    if rule is None:
        return found
    try:
        image = shown(rule, rule.pixels(path))
    except ImageError as error:
        return error
    return [replace(caption, image=image) for caption in found]
