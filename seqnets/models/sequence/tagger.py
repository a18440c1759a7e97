"""Many to many: a label for every step of a sequence."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

import jax.numpy as jnp
from flax import nnx
from jax import Array

from seqnets.data.words.token_table import TokenTable
from seqnets.errors import UserError
from seqnets.models.description import described, names, needed, stated
from seqnets.models.recurrent_layers import drop_steps
from seqnets.models.sequence.recurrent import Embedding, RecurrentConfig, RecurrentEncoder
from seqnets.nn.chain import subkey
from seqnets.nn.dense import Dense
from seqnets.nn.initializers import input_kernel
from seqnets.ops import arguments


class FrameScale(NamedTuple):
    """The scale that brings numeric frames to mean 0 and deviation 1, with one number per feature."""

    mean: tuple[float, ...]
    deviation: tuple[float, ...]


class Tagger(nnx.Module):
    """Label every step of a sequence of tokens or numeric frames, with both earlier and later steps as context.

    Args:
        reads: the table of tokens, or the scale of frames.
        labels: the names of the classes.
        config: its shape.
        rngs: source of the initial weights (stream `params`).

    Example:
        >>> tagger = Tagger(FrameScale((0.0,), (1.0,)), ("low", "high"), RecurrentConfig(hidden_features=4), rngs=nnx.Rngs(0))
        >>> tagger(jnp.ones((2, 5, 1)), jnp.array([5, 3])).shape
        (2, 5, 2)

    References:
        Graves, Schmidhuber, "Framewise Phoneme Classification with Bidirectional LSTM Networks", 2005.
    """

    def __init__(self, reads: TokenTable | FrameScale, labels: Sequence[str], config: RecurrentConfig, *, rngs: nnx.Rngs):
        self.vocabulary = reads if isinstance(reads, TokenTable) else None
        self.scale = reads if isinstance(reads, FrameScale) else None
        self.labels = tuple(labels)
        self.config = config
        if isinstance(reads, TokenTable):
            self.embedding = Embedding(reads, config, rngs=rngs)
        width = config.embedding_features if isinstance(reads, TokenTable) else len(reads.mean)
        self.encoder = RecurrentEncoder(width, config, rngs=rngs)
        self.output = Dense(config.outputs, len(labels), kernel_init=input_kernel, rngs=rngs)

    def __call__(self, inputs: Array, lengths: Array, *, key: Array | None = None) -> Array:
        """Score every class at every step.

        Args:
            inputs: tokens `(B, T)` int32, or frames `(B, T, F)`.
            lengths: `(B,)`; inputs beyond them have no effect.
            key: a JAX key that turns on dropout; None for inference.

        Returns:
            Logits `(B, T, C)` float32.
        """
        outputs, _ = self.encoder(self._read(inputs, subkey(key, 1)), lengths=lengths, key=subkey(key, 2))
        return self.output(drop_steps(self.config, outputs, self.config.dropout, subkey(key, 3))).astype(jnp.float32)

    def _read(self, inputs: Array, key: Array | None) -> Array:
        if self.scale is None:
            return self.embedding(arguments.tokens_of(inputs, ("batch", "time")), key)
        inputs = arguments.real_array("frames", inputs)
        if inputs.ndim != 3 or inputs.shape[-1] != len(self.scale.mean):
            raise UserError(f"frames must have the shape (batch, time, {len(self.scale.mean)}), not {inputs.shape}")
        mean, deviation = (jnp.asarray(numbers, jnp.float32).reshape(1, 1, -1) for numbers in self.scale)
        return (inputs - mean) / deviation

    def labeled_axes(self) -> dict[str, tuple[str, int]]:
        """Return the arrays with an axis of tokens or classes: by name, the list that the axis follows, and the axis."""
        return {"embedding.table": ("vocabulary", 0), "output.kernel": ("labels", 1), "output.bias": ("labels", 0)}

    def describe(self) -> dict[str, Any]:
        """Return the description that `from_description` reads."""
        frames = {} if self.scale is None else {"frames": {name: list(part) for name, part in self.scale._asdict().items()}}
        return {"kind": "Tagger", "config": asdict(self.config), "labels": list(self.labels), **frames}


def from_description(description: Mapping[str, Any], vocabulary: Any) -> Tagger:
    """Make the tagger that a run folder's config.json describes, with arbitrary weights.

    Raises:
        UserError: there is neither a vocabulary nor the scale of frames, or the description belongs to another version.
    """
    with described("Tagger"):
        reads = _scale(description["frames"]) if vocabulary is None else needed(vocabulary, TokenTable)
        config = stated(description.get("config"), RecurrentConfig())
        return Tagger(reads, names(description.get("labels"), "labels"), config, rngs=nnx.Rngs(0))


def _scale(frames: Mapping[str, Any]) -> FrameScale:
    return FrameScale(**{name: tuple(float(number) for number in part) for name, part in frames.items()})
