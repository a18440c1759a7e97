"""A network that pools the features of proposals and classifies each: from Fast R-CNN to Mask R-CNN."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx

from seqnets.data.images.preprocessing import Preprocessing
from seqnets.errors import UserError
from seqnets.models.dense.encoder import FeatureEncoder, make_encoder, size_of
from seqnets.models.description import described, names, stated
from seqnets.models.detector.anchors import anchor_boxes, proportions
from seqnets.models.detector.config import DetectorConfig
from seqnets.models.detector.detections import Candidates, Detected, surest
from seqnets.models.detector.heads import Head, MapHead, RegionHead, by_box, region_numbers
from seqnets.models.detector.pooling import POOLS, pooled
from seqnets.models.detector.pyramid import Pyramid
from seqnets.nn.chain import subkey
from seqnets.ops.boxes import Weights, clip_boxes, decode_boxes
from seqnets.ops.regions import position_sensitive_pool, warp_regions
from seqnets.ops.suppression import suppress

Output = dict[str, Any]
RegionDetectorConfig = DetectorConfig  # by this name a run's settings are completed

REGION_WEIGHTS: Weights = (10.0, 10.0, 5.0, 5.0)
"""The weights of the offsets of regions; those of anchors are 1."""

_LEAST_SIDE = 1e-3  # pixels of a proposal


class Proposals(NamedTuple):
    """Where things may be: boxes [B, R, 4] in pixels, and whether there is such a box [B, R]; the others are padding."""

    boxes: jax.Array
    is_there: jax.Array


def given(boxes: Any) -> Proposals:
    """Return boxes [B, R, 4] as proposals; those without area are padding.

    Example:
        >>> given([[[0.0, 0.0, 2.0, 1.0], [0.0, 0.0, 0.0, 0.0]]]).is_there.tolist()
        [[True, False]]
    """
    boxes = jnp.asarray(boxes)
    return Proposals(boxes, (boxes[..., 2:] > boxes[..., :2]).all(-1))


class RegionDetector(nnx.Module):
    """An encoder, a head that proposes regions where they are learned, and a head for the pooled features of regions.

    Args:
        config: the shape.
        labels: the names of the classes.
        preprocessing: the rule for pictures, which gives all of them one size.
        encoder: the encoder; one with random weights when None.
        joints: the names of the joints, where the settings want them.
        rngs: `params` is used.

    Raises:
        UserError: the settings do not fit the maps of the encoder.

    Example:
        >>> rule = Preprocessing(resize=(32, 32), crop=None)
        >>> config = DetectorConfig(method="regions", width=2, keep=5, proposed=6)
        >>> model = RegionDetector(config, ("cat", "dog"), rule, rngs=nnx.Rngs(0))
        >>> output = model(jnp.zeros((1, 32, 32, 3)))
        >>> output["objectness"].shape, model.propose(output).boxes.shape, model.detect(output).boxes.shape
        ((1, 384), (1, 6, 4), (1, 5, 4))

    References:
        Girshick, "Fast R-CNN", 2015. Ren et al., "Faster R-CNN", 2015. Dai et al., "R-FCN", 2016. He
        et al., "Mask R-CNN", 2017.
    """

    vocabulary: Any = None

    def __init__(
        self,
        config: DetectorConfig,
        labels: Sequence[str],
        preprocessing: Preprocessing,
        *,
        encoder: FeatureEncoder | None = None,
        joints: Sequence[str] = (),
        rngs: nnx.Rngs,
    ):
        self.config, self.labels, self.preprocessing = config, tuple(labels), preprocessing
        self.joints = tuple(joints) if config.joints else ()
        self.encoder = encoder or make_encoder(config, preprocessing, rngs=rngs)
        size, maps = size_of(preprocessing), self._maps()
        self.map_names, self.grids = tuple(name for name, _ in maps), tuple(shape[:2] for _, shape in maps)
        self.scales = tuple(2.0 ** round(math.log2(rows / size[0])) for rows, _ in self.grids)
        self.features = features = config.pyramid or maps[-1][1][2]
        classes = len(self.labels)
        self.pyramid = Pyramid([shape for _, shape in maps], features, rngs=rngs) if config.pyramid else None
        self.per_cell = len(proportions(config.ratios)) * len(self._sides()[0])
        options = {"kernel_size": 1, "normalize": False, "rngs": rngs}
        learned = config.proposals == "learned"
        self.proposer = Head(features, config.head_features, self.per_cell, 4, 1, **options) if learned else None
        self.head = RegionHead(
            self._cropped_features() if self._warps else self._pooled_cells() * features,
            config.hidden_features,
            config.hidden_layers,
            classes,
            classes if config.box_per_class else 1,
            parts=config.grid**2 if self._votes else 1,
            rngs=rngs,
        )
        shape = features, config.map_features, config.map_layers
        self.mask_head = MapHead(*shape, classes, rngs=rngs) if config.masks else None
        self.joint_head = MapHead(*shape, len(self.joints), rngs=rngs) if self.joints else None

    def __call__(self, x: jax.Array, *, train: bool = False, key: jax.Array | None = None) -> Output:
        """Return the maps of normalized pictures [B, H, W, C], and where things may be.

        Returns:
            `images`, as they are, where regions are cut out of them (warp); else `maps`, those that regions are pooled from, the
            finest first; and, where proposals are learned, `objectness` [B, N] and `offsets` [B, N, 4] of the anchors.
        """
        if self._warps:
            return {"images": x}
        features = self.encoder(x, train=train, key=subkey(key, 0))
        maps = [features[name].astype(jnp.float32) for name in self.map_names]
        maps = maps if self.pyramid is None else self.pyramid(maps)
        output: Output = {"maps": tuple(maps)}
        if self.proposer is not None:
            found = [self.proposer(one, train=train) for one in maps]
            offsets, objectness = (jnp.concatenate([by_box(one, self.per_cell) for one in parts], 1) for parts in zip(*found))
            output |= {"offsets": offsets, "objectness": objectness[..., 0]}
        return output

    def anchors(self) -> jax.Array:
        """Return the anchors [N, 4] in pixels, those of the finest map first."""
        ratios = proportions(self.config.ratios)
        return jnp.asarray(anchor_boxes(self.grids, self._sides(), ratios, size_of(self.preprocessing)))

    def propose(self, output: Output, keep: int | None = None) -> Proposals:
        """Return the surest anchors, moved by their offsets, without those that overlap a surer one of their map.

        Args:
            output: what the model returned.
            keep: R; that of the settings when None.
        """
        config, first, parts = self.config, 0, []
        objectness, offsets, anchors = (jax.lax.stop_gradient(output["objectness"]), output["offsets"], self.anchors())
        for number, (rows, columns) in enumerate(self.grids):
            count = rows * columns * self.per_cell
            best, at = jax.lax.top_k(objectness[:, first : first + count], min(count, config.considered))
            parts.append((best, at + first, jnp.full_like(at, number)))
            first += count
        best, at, groups = (jnp.concatenate(some, 1) for some in zip(*parts))
        moved = decode_boxes(jax.lax.stop_gradient(jnp.take_along_axis(offsets, at[..., None], 1)), anchors[at])
        boxes = clip_boxes(moved, size_of(self.preprocessing))
        is_box = (boxes[..., 2:] - boxes[..., :2] >= _LEAST_SIDE).all(-1)
        threshold, keep = config.proposal_suppression, keep or config.proposed
        kept = suppress(boxes, best, threshold=threshold, keep=keep, groups=groups, is_box=is_box)
        return Proposals(jnp.take_along_axis(boxes, kept.indices[..., None], 1), kept.is_kept)

    def regions(self, output: Output, boxes: jax.Array, *, train: bool = False, key: jax.Array | None = None) -> Output:
        """Return what the head says of regions.

        Args:
            output: what the model returned.
            boxes: [B, R, 4], pixels.
            train: whether the model is being trained.
            key: for dropout.

        Returns:
            `logits` [B, R, 1 + C], the first of the background, and `offsets` [B, R, C, 4] (or 1 in place of C) from the boxes.
        """
        if self._votes:
            maps = self.head(output["maps"][0], train=train, key=key)
            votes = position_sensitive_pool(maps, boxes, self.config.grid, scale=self.scales[0])
            return region_numbers(votes.mean((2, 3)), len(self.labels))
        flat = self.region_features(output, boxes, train=train)
        return region_numbers(self.head(flat, train=train, key=key)[:, :, 0], len(self.labels))

    def region_features(self, output: Output, boxes: jax.Array, *, train: bool = False) -> jax.Array:
        """Return what the head sees of each region: [B, R, 1, F]."""
        if not self._warps:
            features = self.pool(output, boxes, self.config.pooling, self.config.grid)
        elif train:  # together, for the statistics of batch norms
            features = self._cropped(output["images"], boxes, train=True)
        else:  # one picture after the other, for the memory
            features = jax.lax.map(lambda pair: self._cropped(*pair)[0], (output["images"][:, None], boxes[:, None]))
        return features.reshape(*features.shape[:2], 1, -1)

    def mask_logits(self, output: Output, boxes: jax.Array, labels: jax.Array) -> jax.Array:
        """Return the logits [B, R, m, m] of the masks of regions [B, R, 4], each for its class [B, R]."""
        maps = self._maps_of(self.mask_head, output, boxes)
        return jnp.take_along_axis(maps, labels[:, :, None, None, None], 4)[..., 0]

    def joint_logits(self, output: Output, boxes: jax.Array) -> jax.Array:
        """Return the strength [B, R, m, m, J] of each joint at each cell of regions [B, R, 4]."""
        maps = self._maps_of(self.joint_head, output, boxes)
        batch, count, rows, columns, joints = maps.shape
        return jax.image.resize(maps, (batch, count, 2 * rows, 2 * columns, joints), "bilinear")

    def pool(self, output: Output, boxes: jax.Array, name: str, grid: int) -> jax.Array:
        """Return the features of regions [B, R, 4] as a pooling of the table has them: [B, R, grid, grid, C]."""
        return pooled(POOLS[name](self.config, grid), output["maps"], boxes, self.scales, self.config.level_cells)

    def candidates(self, output: Output, proposals: Proposals) -> Candidates:
        """Return the boxes of all proposals for each class, with their scores."""
        found = self.regions(output, proposals.boxes)
        boxes = decode_boxes(found["offsets"], proposals.boxes[:, :, None], REGION_WEIGHTS)
        boxes = jnp.broadcast_to(boxes, (*boxes.shape[:2], len(self.labels), 4))
        shares = jax.nn.sigmoid if self.config.scorer == "svm" else jax.nn.softmax
        scores = shares(found["logits"])[..., 1:] * proposals.is_there[..., None]
        return Candidates(clip_boxes(boxes, size_of(self.preprocessing)), scores)

    def detect(self, output: Output, proposals: Proposals | None = None) -> Detected:
        """Return the surest detections of each picture, without those that overlap a surer one of their class.

        Args:
            output: what the model returned.
            proposals: where things may be; the model's own when None.
        """
        found = surest(self.candidates(output, proposals or self.propose(output)), self.config)
        masks = jax.nn.sigmoid(self.mask_logits(output, found.boxes, found.labels)) if self.mask_head is not None else None
        joints = self.joint_logits(output, found.boxes) if self.joint_head is not None else None
        return found._replace(masks=masks, joints=joints)

    def describe(self) -> dict[str, Any]:
        """Return the section `model` of config.json."""
        rule = self.preprocessing.to_json()
        names = {"labels": list(self.labels), "joints": list(self.joints)}
        return {"kind": "RegionDetector", "config": asdict(self.config), "preprocessing": rule, **names}

    def labeled_axes(self) -> dict[str, tuple[str, int]]:
        """Return the arrays with an axis of classes: by name, the list that the axis follows, and the axis."""
        parts = ["head.classes", *(["head.offsets"] if self.config.box_per_class else [])]
        parts += ["mask_head.maps"] if self.config.masks else []
        return {f"{part}.{leaf}": ("labels", -1) for part in parts for leaf in ("kernel", "bias")}

    def _maps_of(self, head: Any, output: Output, boxes: jax.Array) -> jax.Array:
        pooled = self.pool(output, boxes, "align", self.config.map_grid)
        maps = head(pooled.reshape(-1, *pooled.shape[2:]))
        return maps.reshape(*pooled.shape[:2], *maps.shape[1:])

    @property
    def _votes(self) -> bool:
        return self.config.pooling == "position-sensitive"

    @property
    def _warps(self) -> bool:
        return self.config.pooling == "warp"

    def _cropped(self, images: jax.Array, boxes: jax.Array, *, train: bool = False) -> jax.Array:
        side = self.config.crop
        crops = warp_regions(images, boxes, side, context=self.config.context)
        features = list(self.encoder(crops.reshape(-1, *crops.shape[2:]), train=train).values())[-1]
        return features.astype(jnp.float32).reshape(*boxes.shape[:2], *features.shape[1:])

    def _cropped_features(self) -> int:
        crop = jax.ShapeDtypeStruct((1, self.config.crop, self.config.crop, self.encoder.in_channels), jnp.float32)
        return math.prod(list(jax.eval_shape(self.encoder, crop).values())[-1].shape)

    def _maps(self) -> list[tuple[str, tuple[int, int, int]]]:
        height, maps = size_of(self.preprocessing)[0], list(self.encoder.feature_maps)
        if self.config.pyramid:
            return maps[-self.config.maps :]
        fine = [one for one in maps if height <= one[1][0] * self.config.stride]
        return (fine or maps[:1])[-1:]

    def _sides(self) -> list[list[float]]:
        shorter, levels = min(size_of(self.preprocessing)), len(self.grids)
        sides = [side * shorter for side in self.config.sides]
        if not self.config.pyramid:
            return [sides]
        if len(sides) != levels:
            raise UserError(f"model.sides has {len(sides)} anchors, but the pyramid has {levels} levels; give one for each")
        return [[side] for side in sides]

    def _pooled_cells(self) -> int:
        if self._votes:
            return 1
        return sum(level**2 for level in self.config.spp_grids) if self.config.pooling == "spp" else self.config.grid**2


def from_description(description: Mapping[str, Any], vocabulary: Any = None) -> RegionDetector:
    """Make the network that a run folder's config.json describes, with arbitrary weights.

    Args:
        description: section `model` of config.json.
        vocabulary: unused, since detectors have none.

    Raises:
        UserError: the description belongs to another version.
    """
    with described("RegionDetector"):
        config = stated(description["config"], DetectorConfig())
        rule = Preprocessing.from_json(description["preprocessing"])
        labels, joints = names(description.get("labels"), "labels"), description.get("joints") or ()
        own = names(joints, "joints") if joints else ()
        return RegionDetector(config, labels, rule, joints=own, rngs=nnx.Rngs(0))
