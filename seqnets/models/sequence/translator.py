"""Many to many with different lengths: an encoder, attention, and a decoder that writes the target."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, NamedTuple

import jax.numpy as jnp
from flax import nnx
from jax import Array

from seqnets.data.words.kinds import vocabulary_from_json
from seqnets.data.words.vocabulary import TokenVocabulary
from seqnets.models.description import described, needed, stated
from seqnets.models.recurrent_layers import Steps, drop_steps, make_cell, step_by_step
from seqnets.models.sequence.config import TranslatorConfig
from seqnets.models.sequence.recurrent import Embedding, RecurrentEncoder
from seqnets.nn.attention import ATTENTIONS
from seqnets.nn.chain import subkey
from seqnets.nn.dense import Dense
from seqnets.nn.initializers import input_kernel
from seqnets.nn.remat import scan_in_chunks
from seqnets.ops import arguments
from seqnets.ops.masking import valid_steps
from seqnets.ops.recurrent import Carry, hidden_of


class Source(NamedTuple):
    """Sources as a batch: tokens `(B, L)` and lengths `(B,)`."""

    tokens: Any
    lengths: Any


class Annotations(NamedTuple):
    """The encoder's results: outputs `(B, L, D)`, their projections for attention, lengths `(B,)`, last states `(B, D)`."""

    states: Array
    projected: Array
    lengths: Array
    last: Array


class Translator(nnx.Module):
    r"""Write a target token by token, with attention to the source.

    $$ c_t = \text{attend}(s_{t-1}, h), \quad s_t = f(s_{t-1}, [E y_{t-1}; c_t]), \quad
       p(y_t) = \text{softmax}(V \tanh(W [s_t; E y_{t-1}; c_t])) $$

    The published model has a maxout layer in place of the tanh; the states start from the encoder's final states.

    Args:
        source: the vocabulary of the sources.
        vocabulary: the vocabulary of the targets.
        config: its shape.
        rngs: source of the initial weights (stream `params`).

    Example:
        >>> from seqnets.data.words.vocabulary import token_vocabulary
        >>> letters = token_vocabulary(["abc"], "chars")
        >>> model = Translator(letters, letters, TranslatorConfig(cell="gru", hidden_features=4), rngs=nnx.Rngs(0))
        >>> source = Source(jnp.array([letters.encode("cab")]), jnp.array([3]))
        >>> logits, attention = model(source, jnp.array([[letters.begin, 4]]))
        >>> logits.shape, attention.shape
        ((1, 2, 7), (1, 2, 3))

    References:
        Bahdanau, Cho, Bengio, "Neural Machine Translation by Jointly Learning to Align and Translate", 2015.
    """

    def __init__(self, source: TokenVocabulary, vocabulary: TokenVocabulary, config: TranslatorConfig, *, rngs: nnx.Rngs):
        self.source, self.vocabulary, self.config = source, vocabulary, config
        width, hidden, features = config.outputs, config.hidden_features, config.embedding_features
        self.source_embedding = Embedding(source, config, rngs=rngs)
        self.encoder = RecurrentEncoder(features, config, rngs=rngs)
        self.embedding = Embedding(vocabulary, config, rngs=rngs)
        sizes = [features + width, *[hidden] * (config.layers - 1)]
        self.cells = nnx.List([make_cell(config, size, rngs=rngs) for size in sizes])
        if config.attention != "none":
            self.attention = ATTENTIONS[config.attention](hidden, width, features=config.attention_features, rngs=rngs)
        parts = self.cells[0].carry_parts * config.layers
        self.bridge = Dense(width, parts * hidden, kernel_init=input_kernel, rngs=rngs)
        self.deep = Dense(hidden + features + width, hidden, kernel_init=input_kernel, rngs=rngs)
        self.output = Dense(hidden, len(vocabulary), kernel_init=input_kernel, rngs=rngs)

    def encode(self, sources: Source, *, key: Array | None = None) -> Annotations:
        """Encode sources for the decoder."""
        tokens, lengths = sources
        tokens = arguments.tokens_of(tokens, ("batch", "length"), name="source tokens")
        lengths = arguments.lengths_of(lengths, tokens.shape[0])
        embedded = self.source_embedding(tokens, subkey(key, 1))
        states, last = self.encoder(embedded, lengths=lengths, key=subkey(key, 2))
        projected = states[..., :0] if self.config.attention == "none" else self.attention.project(states)
        return Annotations(states, projected, lengths, last)

    def initialize_carry(self, annotations: Annotations) -> Carry:
        """Return the decoder's states before the first token, a tuple with one entry per layer."""
        parts = iter(jnp.split(jnp.tanh(self.bridge(annotations.last)), self._parts(), axis=-1))
        return tuple(cell._carry_of([next(parts) for _ in range(cell.carry_parts)]) for cell in self.cells)

    def step(self, tokens: Array, carry: Carry, annotations: Annotations) -> tuple[Array, Carry, Array | None]:
        """Read one target token per row and predict the next: `(B,)` to logits `(B, V)`, states, attention `(B, L)`."""
        tokens = arguments.tokens_of(tokens, ("batch",))
        carry = arguments.carries(self.cells, carry, tokens.shape[0])
        annotations = arguments.rows_of(annotations, tokens.shape[0], name="annotations", of="tokens")
        found, carry, weights = self._advance(step_by_step(self.config, self.cells), self.embedding(tokens), carry, annotations)
        return self._logits(found), carry, weights

    def __call__(self, sources: Source, tokens: Array, *, key: Array | None = None) -> tuple[Array, Array | None]:
        """Predict every target token from the previous ones.

        Args:
            sources: a batch of sources.
            tokens: `(B, T)` int32, the begin token first.
            key: a JAX key that turns on dropout; None for inference.

        Returns:
            Logits `(B, T, V)` float32 and the attention `(B, T, L)`, None without one.
        """
        annotations = self.encode(sources, key=key)
        tokens = arguments.tokens_of(tokens, ("batch", "time"))
        annotations = arguments.rows_of(annotations, tokens.shape[0], name="sources", of="tokens")
        embedded = drop_steps(self.config, self.embedding(tokens, subkey(key, 3)), self.config.inputs_rate, subkey(key, 4))
        steps, noise = step_by_step(self.config, self.cells, subkey(key, 6)), subkey(key, 7)

        def advance(carry: Carry, time: tuple[Array, Array]) -> tuple[Carry, tuple[Array, Array | None]]:
            found, carry, weights = self._advance(steps, time[0], carry, annotations, subkey(noise, time[1]))
            return carry, (found, weights)

        times = (embedded.swapaxes(0, 1), jnp.arange(tokens.shape[1]))
        _, (found, weights) = scan_in_chunks(advance, self.initialize_carry(annotations), times, self.config.remat)
        found = drop_steps(self.config, found.swapaxes(0, 1), self.config.dropout, subkey(key, 5))
        return self._logits(found), None if weights is None else weights.swapaxes(0, 1)

    def _advance(
        self, steps: Steps, x: Array, carry: Carry, annotations: Annotations, key: Array | None = None
    ) -> tuple[Array, Carry, Array | None]:
        context, weights = self._look(hidden_of(carry[-1]), annotations)
        inputs = jnp.concatenate([x, context], axis=-1)
        carry, hidden = steps(carry, self.cells[0].project(inputs), key, inputs)
        return jnp.concatenate([hidden, x, context], axis=-1), carry, weights

    def _look(self, query: Array, annotations: Annotations) -> tuple[Array, Array | None]:
        if self.config.attention == "none":
            return annotations.last, None
        mask = valid_steps(annotations.lengths, annotations.states.shape[1])
        return self.attention(query, annotations.projected, annotations.states, mask)

    def _logits(self, found: Array) -> Array:
        return self.output(jnp.tanh(self.deep(found))).astype(jnp.float32)

    def _parts(self) -> int:
        return sum(cell.carry_parts for cell in self.cells)

    def labeled_axes(self) -> dict[str, tuple[str, int]]:
        """Return the arrays with an axis of tokens: by name, the list that the axis follows, and the axis."""
        target = {"embedding.table": 0, "output.kernel": 1, "output.bias": 0}
        return {"source_embedding.table": ("source", 0), **{name: ("vocabulary", axis) for name, axis in target.items()}}

    def describe(self) -> dict[str, Any]:
        """Return the description that `from_description` reads."""
        return {"kind": "Translator", "config": asdict(self.config), "source": self.source.to_json()}


def from_description(description: Mapping[str, Any], vocabulary: Any) -> Translator:
    """Make the translator that a run folder's config.json describes, with arbitrary weights.

    Raises:
        UserError: there is no vocabulary, or the description belongs to another version.
    """
    with described("Translator"):
        config = stated(description.get("config"), TranslatorConfig())
        source, target = (needed(words, TokenVocabulary) for words in (vocabulary_from_json(description["source"]), vocabulary))
        return Translator(source, target, config, rngs=nnx.Rngs(0))
