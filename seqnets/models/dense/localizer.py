"""A network that finds one thing in a picture: its class and box, or its joints."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from seqnets.data.images.preprocessing import Preprocessing
from seqnets.models.dense.config import LocalizerConfig as LocalizerConfig
from seqnets.models.dense.decoder import Decoder
from seqnets.models.dense.encoder import FeatureEncoder, make_encoder, size_of
from seqnets.models.dense.plans import PLANS
from seqnets.models.description import reader_of
from seqnets.nn.chain import Chain, subkey
from seqnets.nn.dense import Dense
from seqnets.nn.regularize import dropout
from seqnets.ops.linear import layer_norm
from seqnets.ops.pool import adaptive_average_pool, global_max_pool

Found = dict[str, jax.Array]


class Localizer(nnx.Module):
    """An encoder with a head: `logits` and `boxes`, or `joints`, or `heatmaps`.

    Boxes are (x, y, width, height) of the center and the sides, and joints (x, y), all as shares of the picture's sides, so that
    no loss drowns another.

    Args:
        config: the shape.
        labels: the names of the classes, or of the joints.
        preprocessing: the rule for pictures, which gives all of them one size.
        encoder: the encoder; one with random weights when None.
        rngs: `params` is used.

    Example:
        >>> rule = Preprocessing(resize=(16, 16), crop=None)
        >>> config = LocalizerConfig(width=2)
        >>> found = Localizer(config, ("cat", "dog"), rule, rngs=nnx.Rngs(0))(jnp.zeros((1, 16, 16, 3)))
        >>> found["logits"].shape, found["boxes"].shape
        ((1, 2), (1, 4))

    References:
        Sermanet et al., "OverFeat", 2014. Toshev and Szegedy, "DeepPose", 2014. Tompson et al., "Joint training of a
        convolutional network and a graphical model for human pose estimation", 2014.
    """

    vocabulary = None

    def __init__(
        self,
        config: LocalizerConfig,
        labels: Sequence[str],
        preprocessing: Preprocessing,
        *,
        encoder: FeatureEncoder | None = None,
        rngs: nnx.Rngs,
    ):
        self.config, self.labels, self.preprocessing = config, tuple(labels), preprocessing
        self.encoder = encoder or make_encoder(config, preprocessing, rngs=rngs)
        count, features = len(self.labels), (config.grid**2 + 1) * self.encoder.feature_maps[-1][1][2]
        self.decoder = self._decoder(count, rngs) if config.head == "heatmaps" else None
        dense = config.hidden_features and self.decoder is None
        self.hidden = Chain([Dense(features, config.hidden_features, rngs=rngs), jax.nn.relu]) if dense else None
        features = config.hidden_features or features
        self.joints = Dense(features, 2 * count, rngs=rngs) if config.head == "joints" else None
        boxes = config.head == "box"
        self.logits = Dense(features, count, rngs=rngs) if boxes else None
        self.boxes = Dense(features, 4 * count if config.box_per_class else 4, rngs=rngs) if boxes else None

    def __call__(self, x: jax.Array, *, train: bool = False, key: jax.Array | None = None) -> Found:
        """Return what the head finds in normalized pictures [B, H, W, C].

        Returns:
            `logits` [B, classes] and `boxes` [B, 4] (or [B, classes, 4]); or `joints` [B, K, 2]; or `heatmaps` [B, h, w, K].
        """
        features = self.encoder(x, train=train, key=subkey(key, 0))
        if self.decoder is not None:
            return {"heatmaps": self.decoder(features, train=train, key=subkey(key, 1))}
        last = features[self.encoder.feature_maps[-1][0]].astype(jnp.float32)
        # the grid shows where things are, the maxima what they are, wherever that is
        parts = [adaptive_average_pool(last, self.config.grid).reshape(last.shape[0], -1), global_max_pool(last)]
        x = jnp.concatenate(parts, -1)
        if self.config.encoder != "small":  # features of published networks can be a hundred times larger
            x = layer_norm(x, jnp.ones(x.shape[-1]))
        x = x if self.hidden is None else self.hidden(x)
        x = dropout(x, self.config.dropout, subkey(key, 1))
        if self.joints is not None:
            return {"joints": 0.5 + self.joints(x).reshape(x.shape[0], -1, 2)}
        boxes = 0.5 + self.boxes(x)  # pyright: ignore[reportOptionalCall]
        boxes = boxes.reshape(x.shape[0], -1, 4) if self.config.box_per_class else boxes
        return {"logits": self.logits(x), "boxes": boxes}  # pyright: ignore[reportOptionalCall]

    def places(self, found: Found) -> jax.Array:
        """Return the joints [B, K, 3] of an output: x and y in pixels, and how sure they are in [0, 1]."""
        size = jnp.array([[size_of(self.preprocessing)[::-1]]], jnp.float32)
        if "joints" in found:
            joints = found["joints"]
            return jnp.concatenate([joints * size, jnp.ones_like(joints[..., :1])], -1)
        places = peaks(jax.nn.softmax(_flat(found["heatmaps"]), 1).reshape(found["heatmaps"].shape))
        return jnp.concatenate([places[..., :2] * size, places[..., 2:]], -1)

    def describe(self) -> dict[str, Any]:
        """Return the section `model` of config.json."""
        rule = self.preprocessing.to_json()
        return {"kind": "Localizer", "config": asdict(self.config), "preprocessing": rule, "labels": list(self.labels)}

    def labeled_axes(self) -> dict[str, tuple[str, int]]:
        """Return the arrays with an axis of classes: by name, the list that the axis follows, and the axis."""
        return {} if self.logits is None else {f"logits.{part}": ("labels", -1) for part in ("kernel", "bias")}

    def _decoder(self, count: int, rngs: nnx.Rngs) -> Decoder:
        config, plan, height = self.config, PLANS[self.config.decoder], size_of(self.preprocessing)[0]
        plan = plan if config.up == "auto" else replace(plan, up=config.up)
        maps = [(name, shape) for name, shape in self.encoder.feature_maps if shape[0] * config.stride <= height]
        maps = maps or list(self.encoder.feature_maps[-1:])
        return Decoder(maps, plan, count, maps[0][1][:2], dropout=config.dropout, rngs=rngs)


def peaks(heat: jax.Array, *, reach: int = 2) -> jax.Array:
    """Return the place of the strongest cell of each map, averaged over the cells around it.

    Args:
        heat: [B, h, w, K], not negative.
        reach: how many cells around it, to each side; 0 for the middle of the strongest cell itself.

    Returns:
        [B, K, 3]: x and y as shares of the sides, and the heat of the cell.

    Example:
        >>> heat = jnp.zeros((1, 4, 4, 1)).at[0, 1, 2, 0].set(1.0)
        >>> peaks(heat)[0, 0].tolist()
        [0.625, 0.375, 1.0]
    """
    _, height, width, _ = heat.shape
    flat = _flat(heat)
    best = jnp.argmax(flat, 1)  # [B, K]
    rows, columns = (jnp.arange(side, dtype=jnp.float32) for side in (height, width))
    near = [
        jnp.abs(at.reshape(shape) - place[:, None, None, :]) <= reach
        for at, shape, place in ((rows, (1, -1, 1, 1), best // width), (columns, (1, 1, -1, 1), best % width))
    ]
    weights = jnp.where(near[0] & near[1], heat, 0)
    weights = weights / jnp.maximum(weights.sum((1, 2), keepdims=True), 1e-12)
    x = (weights.sum(1) * (columns.reshape(1, -1, 1) + 0.5)).sum(1) / width
    y = (weights.sum(2) * (rows.reshape(1, -1, 1) + 0.5)).sum(1) / height
    return jnp.stack([x, y, flat.max(1)], -1)


def corners(boxes: jax.Array, size: tuple[int, int]) -> jax.Array:
    """Return boxes [..., 4] of center and sides, as shares, as left, top, right, bottom in pixels.

    Example:
        >>> corners(jnp.array([0.5, 0.5, 0.5, 1.0]), (8, 16)).tolist()
        [4.0, 0.0, 12.0, 8.0]
    """
    height, width = size
    x, y, wide, high = jnp.moveaxis(boxes, -1, 0)
    return jnp.stack([(x - wide / 2) * width, (y - high / 2) * height, (x + wide / 2) * width, (y + high / 2) * height], -1)


def shares(boxes: jax.Array, size: tuple[int, int]) -> jax.Array:
    """Return boxes [..., 4] of corners in pixels as centers and sides, as shares of the picture's: the inverse of `corners`."""
    height, width = size
    left, top, right, bottom = jnp.moveaxis(boxes, -1, 0)
    parts = [(left + right) / 2 / width, (top + bottom) / 2 / height, (right - left) / width, (bottom - top) / height]
    return jnp.stack(parts, -1)


def _flat(maps: jax.Array) -> jax.Array:
    return maps.reshape(maps.shape[0], -1, maps.shape[-1])


from_description = reader_of(Localizer, LocalizerConfig)
"""Makes the network that a run folder's config.json describes, with arbitrary weights."""
