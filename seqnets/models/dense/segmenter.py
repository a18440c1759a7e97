"""A network that gives every pixel a class."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import jax
from flax import nnx

from seqnets.data.images.preprocessing import Preprocessing
from seqnets.models.dense.config import SegmenterConfig as SegmenterConfig
from seqnets.models.dense.decoder import Decoder
from seqnets.models.dense.encoder import FeatureEncoder, make_encoder, size_of
from seqnets.models.dense.plans import PLANS
from seqnets.models.description import reader_of
from seqnets.nn.chain import subkey


class Segmenter(nnx.Module):
    r"""An encoder and a decoder: the logits of every pixel of a picture.

    Args:
        config: the shape.
        labels: the names of the classes.
        preprocessing: the rule for pictures, which gives all of them one size.
        encoder: the encoder; one with random weights when None.
        rngs: `params` is used.

    Example:
        >>> import jax.numpy as jnp
        >>> rule = Preprocessing(resize=(16, 16), crop=None)
        >>> config = SegmenterConfig(width=2, decoder="fcn8s")
        >>> model = Segmenter(config, ("ground", "cat"), rule, rngs=nnx.Rngs(0))
        >>> model(jnp.zeros((1, 16, 16, 3))).shape
        (1, 16, 16, 2)
    """

    vocabulary = None

    def __init__(
        self,
        config: SegmenterConfig,
        labels: Sequence[str],
        preprocessing: Preprocessing,
        *,
        encoder: FeatureEncoder | None = None,
        rngs: nnx.Rngs,
    ):
        self.config, self.labels, self.preprocessing = config, tuple(labels), preprocessing
        self.encoder = encoder or make_encoder(config, preprocessing, rngs=rngs)
        size, plan = size_of(preprocessing), PLANS[config.decoder]
        plan = plan if config.up == "auto" else replace(plan, up=config.up)
        options = {"head_features": config.head_features, "dropout": config.dropout}
        self.decoder = Decoder(self.encoder.feature_maps, plan, len(self.labels), size, **options, rngs=rngs)

    def __call__(self, x: jax.Array, *, train: bool = False, key: jax.Array | None = None) -> jax.Array:
        """Return the logits [B, H, W, classes], float32, of normalized pictures [B, H, W, C]."""
        features = self.encoder(x, train=train, key=subkey(key, 0))
        return self.decoder(features, train=train, key=subkey(key, 1))

    def describe(self) -> dict[str, Any]:
        """Return the section `model` of config.json."""
        rule = self.preprocessing.to_json()
        return {"kind": "Segmenter", "config": asdict(self.config), "preprocessing": rule, "labels": list(self.labels)}

    def labeled_axes(self) -> dict[str, tuple[str, int]]:
        """Return the arrays with an axis of classes: by name, the list that the axis follows, and the axis."""
        return labeled_axes(self.decoder, "decoder", len(self.labels))


def labeled_axes(decoder: Decoder, prefix: str, classes: int) -> dict[str, tuple[str, int]]:
    """Return the arrays of a decoder whose last axis follows the classes, by name, with the name of their list and the axis."""
    layers = [f"{prefix}.{name}" for name in ("score", "last") if getattr(decoder, name) is not None]
    sides = [f"{prefix}.steps.{place}.side" for place, step in enumerate(decoder.steps) if step.join == "scores"]
    found = {f"{layer}.{part}": ("labels", -1) for layer in [*layers, *sides] for part in ("kernel", "bias")}
    steps = [f"{prefix}.steps.{place}.transposed" for place, step in enumerate(decoder.steps) if step.join == "scores"]
    ends = [f"{prefix}.enlarge"] if decoder.enlarge is not None else []
    return found | {f"{layer}.layer.kernel": ("labels", -1) for layer in [*steps, *ends]}


from_description = reader_of(Segmenter, SegmenterConfig)
"""Makes the network that a run folder's config.json describes, with arbitrary weights."""
