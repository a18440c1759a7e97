"""The captioner: an image in, a sentence out."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array

from seqnets import settings
from seqnets.data.words.vocabulary import TokenVocabulary
from seqnets.errors import UserError
from seqnets.models.captioner.config import CaptionerConfig
from seqnets.models.captioner.decoder import Annotations, CaptionDecoder, Reading
from seqnets.models.captioner.encoder import as_float, make_encoder
from seqnets.models.description import described, needed, stated
from seqnets.nn.chain import subkey
from seqnets.nn.regularize import locked_dropout
from seqnets.ops import arguments
from seqnets.ops.recurrent import Carry


class Captioner(nnx.Module):
    """A captioner: a convolutional encoder and a recurrent decoder that attends to its map.

    Args:
        vocabulary: the vocabulary of its tokens.
        config: its shape; the defaults of `CaptionerConfig` if None.
        preprocessing: turns a picture into the encoder's input; None for pixels scaled to -1 .. 1.
        rngs: source of the initial weights (stream `params`).
        **overrides: single fields of the configuration.

    Raises:
        UserError: a setting is unknown or impossible.

    Example:
        >>> from seqnets.data.words.vocabulary import WordVocabulary
        >>> vocabulary = WordVocabulary(("a", "dog"))
        >>> model = Captioner(vocabulary, hidden_features=8, image_size=16, encoder_width=2, rngs=nnx.Rngs(0))
        >>> annotations = model.encode(jnp.zeros((2, 16, 16, 3)))
        >>> logits, carry, attention = model.step(jnp.array([1, 1]), model.initialize_carry(annotations), annotations)
        >>> logits.shape, attention.shape, model.grid
        ((2, 6), (2, 4), (2, 2))

    References:
        Vinyals et al., "Show and Tell: A Neural Image Caption Generator", 2015.
        Xu et al., "Show, Attend and Tell: Neural Image Caption Generation with Visual Attention", 2015.
    """

    def __init__(
        self,
        vocabulary: TokenVocabulary,
        config: CaptionerConfig | None = None,
        *,
        preprocessing: Any = None,
        rngs: nnx.Rngs,
        **overrides: Any,
    ):
        self.vocabulary = vocabulary
        self.config = settings.replaced(config or CaptionerConfig(), overrides, "Captioner")
        self.preprocessing = preprocessing
        self.encoder = make_encoder(self.config, rngs=rngs)
        self.feature_map = _feature_map(self.config, self.encoder)
        self.decoder = CaptionDecoder(len(vocabulary), vocabulary.begin, self.feature_map[2], self.config, rngs=rngs)

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of the locations."""
        return self.feature_map[0], self.feature_map[1]

    def features(self, images: Array, *, train: bool = False, key: Array | None = None) -> Array:
        """Return the encoder's map as locations, row by row: images `(B, H, W, C)` -> `(B, L, D)`.

        Args:
            images: preprocessed floats, or uint8 pixels, which are then scaled by the preprocessing.
            train: update the statistics of a small encoder's batch norms.
            key: a JAX key for the encoder's noise.

        Raises:
            UserError: the model has no encoder.
        """
        if self.encoder is None:
            raise UserError("this captioner reads stored features, not images; give it an array [B, L, D]")
        if self.preprocessing is not None and images.dtype == jnp.uint8:
            images = self.preprocessing.normalize(images)
        maps = self.encoder(as_float(images), train=train, key=key)
        return maps.reshape(maps.shape[0], -1, maps.shape[-1])

    def encode(self, images: Array, *, train: bool = False, key: Array | None = None) -> Annotations:
        """Encode images, or their features.

        Args:
            images: `(B, H, W, C)` as for `features`, or features `(B, L, D)`.
            train: see `features`.
            key: a JAX key that turns on dropout.

        Raises:
            UserError: the shape matches neither.
        """
        images = arguments.real_array("images", images)
        features = self.features(images, train=train, key=subkey(key, 0)) if images.ndim == 4 else images
        rows, columns, width = self.feature_map
        if features.shape[1:] != (rows * columns, width):
            raise UserError(f"features have shape {features.shape}; this captioner takes [B, {rows * columns}, {width}]")
        features = features.astype(jnp.promote_types(features.dtype, jnp.float32))
        if self.config.normalize_features:
            features = features * jax.lax.rsqrt(jnp.mean(jnp.square(features), axis=-1, keepdims=True) + 1e-6)
        return self.decoder.annotate(locked_dropout(features, self.config.feature_dropout, subkey(key, 1)))

    def describe(self) -> dict[str, Any]:
        """Return the description that `from_description` reads."""
        preprocessing = None if self.preprocessing is None else self.preprocessing.to_json()
        return {"kind": "Captioner", "config": asdict(self.config), "preprocessing": preprocessing}

    def labeled_axes(self) -> dict[str, tuple[str, int]]:
        """Return the arrays with an axis of tokens: by name, the list that the axis follows, and the axis."""
        axes = {"decoder.embedding": 0, "decoder.output.kernel": 1, "decoder.output.bias": 0}
        return {name: ("vocabulary", axis) for name, axis in axes.items()}

    def initialize_carry(self, annotations: Annotations) -> Carry:
        """Return the state before the first word; leaves `(B, H)`."""
        return self.decoder.initialize_carry(annotations)

    def step(self, tokens: Array, carry: Carry, annotations: Annotations) -> tuple[Array, Carry, Array | None]:
        """Predict the next word.

        Args:
            tokens: `(B,)` int32, the previous words; `vocabulary.begin` first.
            carry: from `initialize_carry` or the previous step.
            annotations: from `encode`.

        Returns:
            Logits `(B, V)`, the state after, and the attention `(B, L)`; None without attention.
        """
        return self.decoder.step(tokens, carry, annotations)

    def read(self, annotations: Annotations, tokens: Array, *, lengths: Array, key: Array | None = None) -> Reading:
        """Read whole captions and return everything a loss needs; arguments as for calling the model."""
        return self.decoder.read(tokens, annotations, lengths=lengths, key=key)

    def __call__(
        self, images: Array, tokens: Array, *, lengths: Array, train: bool = False, key: Array | None = None
    ) -> tuple[Array, Array | None]:
        """Predict every next word of given captions.

        Args:
            images: as for `encode`.
            tokens: `(B, T)` int32: begin, then the words.
            lengths: `(B,)`, the number of valid tokens.
            train: see `features`.
            key: a JAX key that turns on the noise of training.

        Returns:
            Logits `(B, T, V)`, and the attention `(B, T, L)`, zero beyond the lengths; None without attention.
        """
        annotations = self.encode(images, train=train, key=subkey(key, 0))
        reading = self.read(annotations, tokens, lengths=lengths, key=subkey(key, 1))
        return reading.logits, reading.attention


def from_description(description: Mapping[str, Any], vocabulary: TokenVocabulary | None) -> Captioner:
    """Make the model that a run folder's config.json describes, with arbitrary weights.

    Args:
        description: section `model` of config.json: `kind`, `config`, `preprocessing`.
        vocabulary: the vocabulary of the run.

    Raises:
        UserError: there is no vocabulary, or the description belongs to another version.
    """
    with described("Captioner"):
        config, rule = stated(description.get("config"), CaptionerConfig()), _preprocessing(description.get("preprocessing"))
        return Captioner(needed(vocabulary, TokenVocabulary), config, preprocessing=rule, rngs=nnx.Rngs(0))


def _preprocessing(saved: Any) -> Any:
    if saved is None:
        return None
    from seqnets.data.images.preprocessing import Preprocessing

    return Preprocessing.from_json(saved)


def _feature_map(config: CaptionerConfig, encoder: Any) -> tuple[int, int, int]:
    if encoder is not None:
        return encoder.feature_map
    if not config.feature_map:
        raise UserError("model.encoder is 'features' but model.feature_map is empty; set it to their height, width and features")
    return config.feature_map[0], config.feature_map[1], config.feature_map[2]
