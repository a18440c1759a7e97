"""Computes chosen features of batches of images, compiled once per network and image size."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import numpy as np
from flax import nnx

from seqnets import settings
from seqnets.data.images.preprocessing import Preprocessing
from seqnets.errors import UserError
from seqnets.models.cnn.network import ConvNet
from seqnets.models.taps import known_layers, tapped


class Extractor:
    """Compute features of images in batches of one size, so that each program is compiled once.

    Args:
        model: the network; its weights are read now, and later changes have no effect.
        layers: the features wanted, by name or by path, as for `seqnets.models.taps.Taps`.
        batch_size: images at once; a smaller last batch is padded with black images, whose results are removed.
        preprocessing: the rule; the model's own when None. Its last step, normalization, runs in the compiled function.

    Raises:
        UserError: the network has no such layer, or no preprocessing is known.

    Example:
        >>> from seqnets.models import create_model
        >>> digits = Preprocessing(resize=None, crop=None, channels="gray", mean=(0.0,), std=(1.0,))
        >>> extractor = Extractor(create_model("lenet5"), ["pool", "logits"], preprocessing=digits)
        >>> {name: array.shape for name, array in extractor(np.zeros((3, 28, 28, 1), np.uint8)).items()}
        {'pool': (3, 5, 5, 16), 'logits': (3, 10)}
    """

    def __init__(
        self, model: ConvNet, layers: Sequence[str], *, batch_size: int = 32, preprocessing: Preprocessing | None = None
    ):
        self.preprocessing = known_preprocessing(model, preprocessing)
        self.layers = known_layers(model, layers)
        self.batch_size = settings.whole("batch_size", batch_size, settings.POSITIVE)
        self._structure, self._state = nnx.split(model)

    def __call__(self, pixels: np.ndarray) -> dict[str, np.ndarray]:
        """Return the features of a batch.

        Args:
            pixels: [B, H, W, C] of uint8 as `Preprocessing.pixels` makes them, B at most `batch_size`.

        Returns:
            Layer to array [B, ...].
        """
        missing = self.batch_size - len(pixels)
        full = np.concatenate([pixels, np.zeros((missing, *pixels.shape[1:]), np.uint8)]) if missing else pixels
        features = jax.device_get(self._run(self._state, full))
        return {name: features[name][: len(pixels)] for name in self.layers}

    def shapes(self, height: int, width: int) -> dict[str, tuple[int, ...]]:
        """Return the shape of each layer for one image, without computing anything."""
        image = jax.ShapeDtypeStruct((1, height, width, self.preprocessing.channel_count), np.uint8)
        found = jax.eval_shape(self._run, self._state, image)
        return {name: found[name].shape[1:] for name in self.layers}

    def _run(self, state: Any, pixels: Any) -> dict[str, jax.Array]:
        return _features(self._structure, self.preprocessing, self.layers, state, pixels)


@partial(jax.jit, static_argnums=(0, 1, 2))  # shared by all extractors of a network: a server may make one for each request
def _features(structure: Any, rule: Preprocessing, layers: tuple[str, ...], state: Any, pixels: Any) -> dict[str, jax.Array]:
    return tapped(structure, layers, state, rule.normalize(pixels))


def known_preprocessing(model: ConvNet, preprocessing: Preprocessing | None = None) -> Preprocessing:
    """Return the given rule, or else the model's own.

    Raises:
        UserError: there is neither, or it gives another number of channels than the network takes.

    Example:
        >>> from seqnets.models import create_model
        >>> known_preprocessing(create_model("lenet5"))
        Traceback (most recent call last):
        ...
        seqnets.errors.UserError: the preprocessing of these weights is not known; set model.preprocessing, or pass
        --preprocessing FILE.json to `seqnets classify` or `seqnets features`
    """
    rule = preprocessing or model.preprocessing
    if rule is None:
        advice = "set model.preprocessing, or pass --preprocessing FILE.json to `seqnets classify` or `seqnets features`"
        raise UserError(f"the preprocessing of these weights is not known; {advice}")
    if rule.channel_count != model.in_channels:
        raise UserError(f"the preprocessing gives {rule.channels} images, but the network takes {model.in_channels} channel(s)")
    return rule
