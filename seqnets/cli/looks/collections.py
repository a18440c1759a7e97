"""Looks at many pictures: patches, neighbors, a map."""

import argparse
from collections.abc import Sequence
from typing import Any

import numpy as np

from seqnets.cli.looks import Sight
from seqnets.cli.looks.pictures import pictures_of
from seqnets.cli.networks import Chosen
from seqnets.data.images.preprocessing import Preprocessing
from seqnets.errors import UserError

_CHANNELS, _PICTURES, _ON_MAP, _QUERIES = 12, 1000, 400, 8
_THUMBNAIL = Preprocessing(resize=64, crop=(64, 64))


def draw_patches(chosen: Chosen, found: argparse.Namespace) -> Sight:
    """Draw a row of patches for each channel."""
    from seqnets import inspect
    from seqnets.inspect.gradients import last_map
    from seqnets.viz import tile

    names, pictures = pictures_of(chosen, _PICTURES)
    layer, channels = found.layer or last_map(chosen.model), found.channels
    best = inspect.strongest_patches(chosen.model, pictures, layer, channels, top=found.top)
    kept = {channel: best[channel] for channel in channels or list(best)[:_CHANNELS]}
    tiles = [patch.pixels for strongest in kept.values() for patch in strongest]
    lines = [
        f"channel {channel}: {', '.join(f'{names[patch.picture]} ({patch.value:.4g})' for patch in strongest)}"
        for channel, strongest in kept.items()
    ]
    entries = [
        {"channel": channel, "file": names[patch.picture], "value": patch.value, "place": patch.place, "box": patch.box}
        for channel, strongest in kept.items()
        for patch in strongest
    ]
    return Sight(tile(tiles, columns=max(map(len, kept.values())), side=64), lines, entries)


def draw_neighbors(chosen: Chosen | None, found: argparse.Namespace) -> Sight:
    """Draw each query and its neighbors in a row."""
    from seqnets import inspect
    from seqnets.viz import tile

    names, pictures, features, layer = _collection(chosen, found, _PICTURES)
    if found.query:
        network = _needed(chosen)
        asked_names, asked_pictures = found.query, found.query
        _, asked = inspect.features(network.model, found.query, layer)
        nearest = inspect.nearest_neighbors(features, asked, top=found.top, metric=found.metric)
    else:
        asked_names, asked_pictures = names[:_QUERIES], pictures[:_QUERIES]
        nearest = inspect.nearest_neighbors(features, top=min(found.top, len(names) - 1), metric=found.metric)
    rows, distances = nearest.rows[: len(asked_names)], nearest.distances[: len(asked_names)]
    tiles = [_thumbnail(one) for query, row in zip(asked_pictures, rows) for one in (query, *(pictures[i] for i in row))]
    lines = [
        f"{query}: {', '.join(f'{names[i]} ({distance:.4g})' for i, distance in zip(row, away))}"
        for query, row, away in zip(asked_names, rows, distances)
    ]
    entries = [
        {"file": str(query), "neighbors": [{"file": names[i], "distance": float(d)} for i, d in zip(row, away)]}
        for query, row, away in zip(asked_names, rows, distances)
    ]
    return Sight(tile(tiles, columns=1 + rows.shape[1]), lines, entries)


def draw_map(chosen: Chosen | None, found: argparse.Namespace) -> Sight:
    """Draw thumbnails where their features lie."""
    from seqnets import metrics
    from seqnets.viz import thumbnail_map

    names, pictures, features, layer = _collection(chosen, found, _ON_MAP)
    if len(names) < 4:
        raise UserError(f"a map needs 4 pictures or more, not {len(names)}; give more")
    if found.method == "pca":
        components = metrics.principal_components(features)
        places, said = components.coordinates, f"{components.share.sum():.1%} of the variance"
    else:
        perplexity = found.perplexity or min(30.0, len(names) / 4)
        places, left = metrics.tsne(features, perplexity=perplexity, seed=found.seed)
        said = f"perplexity {perplexity:g}, divergence {left:.4f} nats"
    trust = metrics.trustworthiness(features, places, neighbors=min(5, (len(names) - 1) // 2))
    lines = [f"{len(names):,} pictures by {layer}: {said}, trustworthiness {trust:.3f}"]
    entries = {"layer": layer, "trustworthiness": trust, "places": [
        {"file": name, "x": float(x), "y": float(y)} for name, (x, y) in zip(names, places)
    ]}  # fmt: skip
    return Sight(thumbnail_map([_thumbnail(one) for one in pictures], places), lines, entries)


def _collection(chosen: Chosen | None, found: argparse.Namespace, most: int) -> tuple[list[str], Sequence[Any], Any, str]:
    from seqnets import inspect
    from seqnets.inspect.gradients import last_map

    if found.store:
        return _stored(found)
    network = _needed(chosen)
    names, pictures = pictures_of(network, most)
    layer = found.layer or last_map(network.model)
    numbers, features = inspect.features(network.model, pictures, layer)
    return [names[i] for i in numbers], [pictures[i] for i in numbers], features, layer


def _stored(found: argparse.Namespace) -> tuple[list[str], Sequence[Any], Any, str]:
    from seqnets.data import FeatureStore

    store = FeatureStore(found.store)
    layer = found.layer or next(iter(store.header.layers))
    paths = [path for path in store.records if path not in store.failures]
    rows = store.gather(paths, layer)
    return paths, paths, np.asarray(rows, np.float32), layer


def _needed(chosen: Chosen | None) -> Chosen:
    if chosen is None:
        raise UserError("give --model NAME or a run, which computes the features")
    return chosen


def _thumbnail(picture: Any) -> np.ndarray:
    return _THUMBNAIL.pixels(picture)
