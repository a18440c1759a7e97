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
    size = min(batch, max(1, len(paths)))
    for number, start in enumerate(range(0, len(paths), size)):
        part = paths[start : start + size]
        rows = [_row(store, path) for path in part]
        known = [row for row in rows if not isinstance(row, UserError)]
        padded = np.array(known + known[-1:] * (size - len(known)), np.int64)
        own_key = jax.random.fold_in(key, number)
        found = iter(decode_captions(model, store.gather(padded, layer), config, key=own_key, batch=size) if known else [])
        for path, row in zip(part, rows):
            yield row if isinstance(row, UserError) else _with_image(next(found), path, rule)


def _row(store: FeatureStore, path: Path) -> int | UserError:
    try:
        return int(store.rows([path])[0])
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
