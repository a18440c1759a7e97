"""A network that finds the boxes and classes of all things in a picture."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from seqnets.data.images.preprocessing import Preprocessing
from seqnets.models.dense.encoder import FeatureEncoder, make_encoder, size_of
from seqnets.models.description import reader_of
from seqnets.models.detector.config import DetectorConfig as DetectorConfig
from seqnets.models.detector.default_boxes import default_boxes, scales_between
from seqnets.models.detector.detections import Candidates, Detected, surest
from seqnets.models.detector.heads import Head, by_box
from seqnets.nn.chain import subkey
from seqnets.ops.boxes import Weights, clip_boxes, decode_boxes

Output = dict[str, jax.Array]

VARIANCES: Weights = (10.0, 10.0, 5.0, 5.0)
"""The weights of SSD's offsets."""


class Detector(nnx.Module):
    """An encoder with predictions at every cell of its coarser maps.

    Args:
        config: the shape.
        labels: the names of the classes.
        preprocessing: the rule for pictures, which gives all of them one size.
        encoder: the encoder; one with random weights when None.
        rngs: `params` is used.

    Example:
        >>> rule = Preprocessing(resize=(32, 32), crop=None)
        >>> model = Detector(DetectorConfig(width=2, keep=5), ("cat", "dog"), rule, rngs=nnx.Rngs(0))
        >>> output = model(jnp.zeros((1, 32, 32, 3)))
        >>> output["logits"].shape, model.detect(output).boxes.shape
        ((1, 320, 3), (1, 5, 4))
    """

    vocabulary = None

    def __init__(
        self,
        config: DetectorConfig,
        labels: Sequence[str],
        preprocessing: Preprocessing,
        *,
        encoder: FeatureEncoder | None = None,
        rngs: nnx.Rngs,
    ):
        self.config, self.labels, self.preprocessing = config, tuple(labels), preprocessing
        self.encoder = encoder or make_encoder(config, preprocessing, rngs=rngs)
        maps = self.encoder.feature_maps[-config.maps if config.method == "ssd" else -1 :]
        self.map_names, self.grids = tuple(name for name, _ in maps), tuple(shape[:2] for _, shape in maps)
        self.per_cell = 2 + 2 * len(config.ratios) if config.method == "ssd" else 1
        numbers, classes = self.numbers, len(self.labels)
        self.heads = nnx.List(
            [Head(shape[2], config.head_features, self.per_cell, numbers, classes, rngs=rngs) for _, shape in maps]
        )

    @property
    def numbers(self) -> int:
        """Numbers besides the classes: 4 offsets and the background for each box (ssd), or 5 B for each cell (yolo)."""
        return 5 if self.config.method == "ssd" else 5 * self.config.boxes_per_cell

    def __call__(self, x: jax.Array, *, train: bool = False, key: jax.Array | None = None) -> Output:
        """Return the predictions for normalized pictures [B, H, W, C].

        Returns:
            ssd: `logits` [B, N, 1 + classes], the first of the background, and `offsets` [B, N, 4] from the default boxes.
            yolo: `cells` [B, h, w, 5 B + classes]: x and y within the cell, roots of the sides and confidence of B boxes, then
            the classes.
        """
        features = self.encoder(x, train=train, key=subkey(key, 0))
        found = [head(features[name], train=train) for name, head in zip(self.map_names, self.heads)]
        if self.config.method == "yolo":
            return {"cells": jnp.concatenate(found[0], -1)}
        numbers, classes = (jnp.concatenate([by_box(part, self.per_cell) for part in parts], 1) for parts in zip(*found))
        return {"offsets": numbers[..., :4], "logits": jnp.concatenate([numbers[..., 4:], classes], -1)}

    def default_boxes(self) -> jax.Array:
        """Return the default boxes [N, 4] in pixels (ssd)."""
        config = self.config
        scales = scales_between(config.least_scale, config.most_scale, len(self.grids))
        return jnp.asarray(default_boxes(self.grids, scales, [config.ratios] * len(self.grids), size_of(self.preprocessing)))

    def candidates(self, output: Output) -> Candidates:
        """Return every box with its scores."""
        size = size_of(self.preprocessing)
        if self.config.method == "ssd":
            boxes = decode_boxes(output["offsets"], self.default_boxes()[None], VARIANCES)
            return Candidates(clip_boxes(boxes, size), jax.nn.softmax(output["logits"])[..., 1:])
        boxes, confidences, classes = cell_parts(output["cells"], self.config.boxes_per_cell)
        corners = clip_boxes(cell_corners(boxes, size), size)
        scores = jnp.clip(confidences, 0, 1)[..., None] * jnp.clip(classes, 0, 1)[..., None, :]
        batch = corners.shape[0]
        return Candidates(corners.reshape(batch, -1, 4), scores.reshape(batch, -1, len(self.labels)))

    def detect(self, output: Output) -> Detected:
        """Return the surest detections of each picture, without those that overlap a surer one of their class."""
        return surest(self.candidates(output), self.config)

    def describe(self) -> dict[str, Any]:
        """Return the section `model` of config.json."""
        rule = self.preprocessing.to_json()
        return {"kind": "Detector", "config": asdict(self.config), "preprocessing": rule, "labels": list(self.labels)}

    def labeled_axes(self) -> dict[str, tuple[str, int]]:
        """Return the arrays with an axis of classes: by name, the list that the axis follows, and the axis."""
        places = range(len(self.heads))
        return {f"heads.{place}.classes.{part}": ("labels", -1) for place in places for part in ("kernel", "bias")}


def cell_parts(cells: jax.Array, boxes_per_cell: int) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Return the boxes [B, h, w, P, 4], their confidences [B, h, w, P] and the classes [B, h, w, C] of a grid's numbers.

    Example:
        >>> [part.shape for part in cell_parts(jnp.zeros((1, 2, 2, 13)), 2)]
        [(1, 2, 2, 2, 4), (1, 2, 2, 2), (1, 2, 2, 3)]
    """
    boxes = cells[..., : 5 * boxes_per_cell].reshape(*cells.shape[:3], boxes_per_cell, 5)
    return boxes[..., :4], boxes[..., 4], cells[..., 5 * boxes_per_cell :]


def cell_corners(boxes: jax.Array, size: tuple[int, int]) -> jax.Array:
    """Return the corners in pixels of boxes [B, h, w, P, 4]: x and y within their cell, and the roots of their sides.

    Example:
        >>> cell_corners(jnp.array([0.5, 0.5, 0.5, 1.0]).reshape(1, 1, 1, 1, 4), (8, 16)).round().ravel().tolist()
        [6.0, 0.0, 10.0, 8.0]
    """
    rows, columns = boxes.shape[1:3]
    places = jnp.stack(jnp.meshgrid(jnp.arange(columns), jnp.arange(rows)), -1)[None, :, :, None].astype(boxes.dtype)
    picture = jnp.asarray(size[::-1], boxes.dtype).reshape(1, 1, 1, 1, 2)
    grid = jnp.asarray((columns, rows), boxes.dtype).reshape(1, 1, 1, 1, 2)
    center, side = (places + boxes[..., :2]) / grid * picture, jnp.square(boxes[..., 2:]) * picture
    return jnp.concatenate([center - side / 2, center + side / 2], -1)


from_description = reader_of(Detector, DetectorConfig)
"""Makes the network that a run folder's config.json describes, with arbitrary weights."""
