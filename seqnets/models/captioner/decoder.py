"""From annotations to words: the recurrent half of a captioner."""

from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array

from seqnets.models.captioner.config import CaptionerConfig
from seqnets.models.captioner.output import WordOutput
from seqnets.models.captioner.sight import Look, Sight
from seqnets.models.recurrent_layers import Steps, drop_steps, make_stack, step_by_step
from seqnets.nn.cells import Cell
from seqnets.nn.chain import subkey
from seqnets.nn.dense import Dense
from seqnets.nn.initializers import gate_blocks, input_kernel
from seqnets.nn.remat import scan_in_chunks
from seqnets.ops import arguments
from seqnets.ops.linear import affine
from seqnets.ops.lookup import take_rows
from seqnets.ops.masking import valid_steps
from seqnets.ops.recurrent import Carry, hidden_of

_SMALL_VOCABULARY = 512  # above this size, the one-hot products of `take_rows` cost more than they save


class Annotations(NamedTuple):
    """An encoded image, every array with a leading axis B.

    Attributes:
        features: `(B, L, D)`, the features of every location.
        mean: `(B, D)`, over the locations.
        projected: `(B, L, A)`, the features projected for attention; None without attention.
        injected: `(B, gates * H)`, the image's contribution to the first layer's gates; None if it enters elsewhere.
    """

    features: Array
    mean: Array
    projected: Array | None = None
    injected: Array | None = None


class Reading(NamedTuple):
    """The decoder's output for given captions.

    Attributes:
        logits: `(B, T, V)` float32.
        attention: `(B, T, L)` float32; None without attention.
        location: `(B, T)` int32, where hard attention looked in training; else None.
        expected: `(B,)` booleans: rows that read the weighted mean over all locations instead.
    """

    logits: Array
    attention: Array | None = None
    location: Array | None = None
    expected: Array | None = None


class CaptionDecoder(nnx.Module):
    r"""Recurrent layers that read the previous word and the image, and give the probabilities of the next word.

    The state begins as $\tanh(W \bar a + b)$, one W for each part of each layer's state. Word by word the lowest layer
    gets $W E y_{t-1} + W_z z_t + b$, with the attention's context $z_t$. The word before the first one is a vector of zeros.

    Args:
        words: V, the size of the vocabulary.
        begin: the token before the first word.
        features: D, the features of a location.
        config: the shape.
        rngs: source of the initial weights (stream `params`).
    """

    def __init__(self, words: int, begin: int, features: int, config: CaptionerConfig, *, rngs: nnx.Rngs):
        self.config, self.begin = config, begin
        width, hidden = config.embedding_features, config.hidden_features
        self.embedding = nnx.Param(0.1 * jax.random.normal(rngs.params(), (words, width), jnp.float32))
        self.rnn = make_stack(config, width, rngs=rngs)
        self.sight = Sight(features, config, rngs=rngs) if config.looks else None
        gates = self._cells()[0].recurrence.gates
        if config.looks or config.inject in ("every", "first"):
            block = gate_blocks(input_kernel, hidden)
            self.context_kernel = nnx.Param(block(rngs.params(), (features, gates * hidden), jnp.float32))
        if not config.looks and config.inject == "token":
            self.image_word = Dense(features, width, kernel_init=input_kernel, rngs=rngs)
        if config.initial == "mean" if config.looks else config.inject == "init":
            parts = [cell.hidden_features for cell in self._cells() for _ in range(cell.carry_parts)]
            self.initial = nnx.List([Dense(features, size, kernel_init=input_kernel, rngs=rngs) for size in parts])
        self.output = WordOutput(words, features, config, rngs=rngs)

    def annotate(self, features: Array) -> Annotations:
        """Compute the parts of an image that all words share: `(B, L, D)` -> annotations."""
        mean = jnp.mean(features, axis=1)
        if self.sight is not None:
            return Annotations(features, mean, projected=self.sight.attention.project(features))
        injects = self.config.inject in ("every", "first")
        return Annotations(features, mean, injected=affine(mean, self.context_kernel[...]) if injects else None)

    def initialize_carry(self, annotations: Annotations) -> Carry:
        """Return the state before the first word: a tuple with one entry per layer, leaves `(B, H)`."""
        batch = annotations.mean.shape[0]
        zeros = tuple(cell.initialize_carry((batch, cell.in_features)) for cell in self._cells())
        if hasattr(self, "image_word"):
            word = self.image_word(annotations.mean)
            return self._steps()(zeros, self._cells()[0].project(word))[0]
        if not hasattr(self, "initial"):
            return zeros
        states = [jnp.tanh(dense(annotations.mean)) for dense in self.initial]
        return jax.tree.unflatten(jax.tree.structure(zeros), states)

    def step(self, tokens: Array, carry: Carry, annotations: Annotations) -> tuple[Array, Carry, Array | None]:
        """Read one word per row: `(B,)` -> logits `(B, V)`, the state after, and the attention `(B, L)` or None."""
        tokens = arguments.tokens_of(tokens, ("batch",))
        carry = arguments.carries(self._cells(), carry, tokens.shape[0])
        annotations = arguments.rows_of(annotations, tokens.shape[0], name="annotations", of="tokens")
        words = self._embed(tokens, None)
        projected = self._cells()[0].project(words)
        if self.sight is None:
            carry, hidden = self._steps()(carry, self._injected(projected, tokens, annotations))
            return self.output(words, hidden, None), carry, None
        look = self.sight(hidden_of(carry[-1]), annotations.projected, annotations.features)
        carry, hidden = self._steps()(carry, self._with_context(projected, look.context))
        return self.output(words, hidden, look.context), carry, look.attention

    def read(self, tokens: Array, annotations: Annotations, *, lengths: Array, key: Array | None = None) -> Reading:
        """Read whole captions, each word given the correct previous words.

        Args:
            tokens: `(B, T)` int32; begin, then the words.
            annotations: from `annotate`.
            lengths: `(B,)`, the number of valid tokens; attention is zero beyond.
            key: a JAX key that turns on the noise of training, and the drawing of hard attention.

        Raises:
            UserError: tokens, annotations and lengths belong to different batches.
        """
        tokens = arguments.tokens_of(tokens, ("batch", "time"))
        lengths = arguments.lengths_of(lengths, tokens.shape[0])
        annotations = arguments.rows_of(annotations, tokens.shape[0], name="annotations", of="tokens")
        words = self._embed(tokens, subkey(key, 0))
        projected = self._cells()[0].project(words)
        carry, output_key = self.initialize_carry(annotations), subkey(key, 1)
        if self.sight is None:
            inputs = self._injected(projected, tokens, annotations)
            hidden = self.rnn(inputs, initial_carry=carry, lengths=lengths, key=subkey(key, 2), projected=True)
            return Reading(self.output(words, hidden, None, output_key))
        expected = None
        if self.config.hard and key is not None:
            expected = jax.random.bernoulli(jax.random.fold_in(key, 3), 0.5, lengths.shape)
        hidden, look = self._look_and_read(projected, carry, annotations, expected, subkey(key, 2), self._steps(subkey(key, 4)))
        logits = self.output(words, hidden, look.context, output_key)
        valid = valid_steps(lengths, tokens.shape[1])
        return Reading(logits, jnp.where(valid[..., None], look.attention, 0), look.location, expected)

    def _look_and_read(self, projected, carry, annotations, expected, key, steps: Steps) -> tuple[Array, Look]:
        sight = cast(Sight, self.sight)

        def body(carry: Carry, time: Any) -> Any:
            step_key = subkey(key, time[1])
            look = sight(hidden_of(carry[-1]), annotations.projected, annotations.features, expected, subkey(step_key, 0))
            remembered = _drop_rows(look.context, self.config.context_dropout, subkey(step_key, 2))
            carry, hidden = steps(carry, self._with_context(time[0], remembered), subkey(step_key, 1))
            return carry, (hidden, look)

        times = (projected.swapaxes(0, 1), jnp.arange(projected.shape[1]))
        _, seen = scan_in_chunks(body, carry, times, self.config.remat)
        return jax.tree.map(lambda array: array.swapaxes(0, 1), seen)

    def _steps(self, key: Array | None = None) -> Steps:
        return step_by_step(self.config, self._cells(), key)

    def _with_context(self, projected: Array, context: Array) -> Array:
        return projected + affine(context.astype(projected.dtype), self.context_kernel[...])

    def _injected(self, projected: Array, tokens: Array, annotations: Annotations) -> Array:
        if annotations.injected is None:
            return projected
        added = annotations.injected.astype(projected.dtype)
        added = added if projected.ndim == 2 else jnp.broadcast_to(added[:, None], projected.shape)
        if self.config.inject == "first":
            added = jnp.where((tokens == self.begin)[..., None], added, 0)
        return projected + added

    def _embed(self, tokens: Array, key: Array | None) -> Array:
        table = self.embedding[...]
        words = take_rows(table, tokens) if table.shape[0] <= _SMALL_VOCABULARY else table[tokens]
        words = jnp.where((tokens == self.begin)[..., None], 0, words)
        return drop_steps(self.config, words, self.config.input_dropout, key)

    def _cells(self) -> list[Cell]:
        return [cast(Cell, layer.cell) for layer in self.rnn.layers]


def _drop_rows(context: Array, rate: float, key: Array | None) -> Array:
    if key is None or not rate:
        return context
    # not scaled up: when the state sees the context, it should see it unchanged
    return context * jax.random.bernoulli(key, 1 - rate, (context.shape[0], 1))
