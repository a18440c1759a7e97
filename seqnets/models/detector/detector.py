"""A network that finds the boxes and classes of all things in a picture."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx

from seqnets.data.images.preprocessing import Preprocessing
from seqnets.models.dense.encoder import FeatureEncoder, make_encoder, size_of
from seqnets.models.description import described, names, stated
from seqnets.models.detector.config import DetectorConfig as DetectorConfig
from seqnets.models.detector.default_boxes import default_boxes, scales_between
from seqnets.nn.chain import subkey
from seqnets.nn.conv import Conv
from seqnets.nn.conv_norm import ConvNorm
from seqnets.nn.initializers import convolution_kernel
from seqnets.ops.boxes import Weights, clip_boxes, decode_boxes
from seqnets.ops.conv import conv2d
from seqnets.ops.suppression import suppress

Output = dict[str, jax.Array]

VARIANCES: Weights = (10.0, 10.0, 5.0, 5.0)
"""The weights of SSD's offsets."""

_SURE = 8  # candidates of which suppression sees the best, for each detection that is kept


class Candidates(NamedTuple):
    """Boxes [B, N, 4] in pixels, and the score of each class [B, N, C] in [0, 1]."""

    boxes: jax.Array
    scores: jax.Array


class Detected(NamedTuple):
    """The detections of each picture, the surest first.

    Attributes:
        boxes: [B, K, 4] in pixels.
        labels: [B, K] of int32.
        scores: [B, K]; 0 where there are fewer.
    """

    boxes: jax.Array
    labels: jax.Array
    scores: jax.Array


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
        numbers, classes = (jnp.concatenate([_by_box(part, self.per_cell) for part in parts], 1) for parts in zip(*found))
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
        boxes, scores = self.candidates(output)
        classes, config = scores.shape[-1], self.config
        flat = scores.reshape(scores.shape[0], -1)
        best, at = jax.lax.top_k(flat, min(flat.shape[1], _SURE * config.keep))
        some, labels = jnp.take_along_axis(boxes, (at // classes)[..., None], 1), at % classes
        is_box = best >= config.least_score
        kept = suppress(some, best, threshold=config.suppression, keep=config.keep, groups=labels, is_box=is_box)
        rows = kept.indices
        chosen = jnp.take_along_axis(some, rows[..., None], 1)
        taken = [jnp.take_along_axis(array, rows, 1) for array in (labels, best)]
        return Detected(chosen, taken[0].astype(jnp.int32), jnp.where(kept.is_kept, taken[1], 0))

    def describe(self) -> dict[str, Any]:
        """Return the section `model` of config.json."""
        rule = self.preprocessing.to_json()
        return {"kind": "Detector", "config": asdict(self.config), "preprocessing": rule, "labels": list(self.labels)}

    def labeled_axes(self) -> dict[str, tuple[str, int]]:
        """Return the arrays with an axis of classes: by name, the list that the axis follows, and the axis."""
        places = range(len(self.heads))
        return {f"heads.{place}.classes.{part}": ("labels", -1) for place in places for part in ("kernel", "bias")}


class Head(nnx.Module):
    """Predict numbers and classes for each box of each cell of a map.

    Args:
        features: of the map.
        wide: features of a convolution before the predictions; 0 for none.
        boxes: P, boxes of a cell.
        numbers: for each box.
        classes: C.
        rngs: `params` is used.

    Example:
        >>> numbers, classes = Head(3, 0, 2, 5, 4, rngs=nnx.Rngs(0))(jnp.zeros((1, 6, 6, 3)))
        >>> numbers.shape, classes.shape
        ((1, 6, 6, 10), (1, 6, 6, 8))
    """

    def __init__(self, features: int, wide: int, boxes: int, numbers: int, classes: int, *, rngs: nnx.Rngs):
        self.before = ConvNorm(features, wide, 3, padding=1, rngs=rngs) if wide else None
        self.numbers = Conv(wide or features, boxes * numbers, 3, padding=1, rngs=rngs)
        self.classes = ClassConv(wide or features, boxes, classes, rngs=rngs)

    def __call__(self, x: jax.Array, *, train: bool = False) -> tuple[jax.Array, jax.Array]:
        """Return float32 [B, h, w, P * numbers] and [B, h, w, P * C] from [B, h, w, features]."""
        x = x if self.before is None else self.before(x, train=train)
        return self.numbers(x).astype(jnp.float32), self.classes(x).astype(jnp.float32)


class ClassConv(nnx.Module):
    """A 3 x 3 convolution whose weights have the classes as an axis of their own, so that a run can begin with another's classes.

    Args:
        features: of the map.
        boxes: P, boxes of a cell.
        classes: C.
        rngs: `params` is used.

    Example:
        >>> ClassConv(3, 2, 4, rngs=nnx.Rngs(0)).kernel.shape
        (3, 3, 3, 2, 4)
    """

    def __init__(self, features: int, boxes: int, classes: int, *, rngs: nnx.Rngs):
        drawn = convolution_kernel(rngs.params(), (3, 3, features, boxes * classes), jnp.float32)
        self.kernel = nnx.Param(drawn.reshape(3, 3, features, boxes, classes))
        self.bias = nnx.Param(jnp.zeros((boxes, classes), jnp.float32))

    def __call__(self, x: jax.Array) -> jax.Array:
        """Return [B, h, w, P * C] from [B, h, w, features]."""
        kernel = self.kernel[...]
        return conv2d(x, kernel.reshape(*kernel.shape[:3], -1), self.bias[...].reshape(-1), padding=1)


def _by_box(maps: jax.Array, per_cell: int) -> jax.Array:
    return maps.reshape(maps.shape[0], -1, maps.shape[-1] // per_cell)


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


def from_description(description: Mapping[str, Any], vocabulary: Any = None) -> Detector:
    """Make the network that a run folder's config.json describes, with arbitrary weights.

    Args:
        description: section `model` of config.json.
        vocabulary: unused, since detectors have none.

    Raises:
        UserError: the description belongs to another version.
    """
    with described("Detector"):
        config = stated(description["config"], DetectorConfig())
        rule = Preprocessing.from_json(description["preprocessing"])
        return Detector(config, names(description.get("labels"), "labels"), rule, rngs=nnx.Rngs(0))
