"""The character language model: from characters to the probabilities of the next one."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array

from seqnets import settings
from seqnets.data.text.text_vocabulary import TextVocabulary
from seqnets.models.char_lm_config import CharLMConfig
from seqnets.models.description import described, needed, stated
from seqnets.models.recurrent_layers import drop_steps, make_stack
from seqnets.nn.cells import Cell
from seqnets.nn.initializers import input_kernel
from seqnets.ops import arguments
from seqnets.ops.linear import affine, along_last_axis
from seqnets.ops.lookup import take_rows
from seqnets.ops.recurrent import Carry
from seqnets.ops.stack_step import PackedStack


class PackedCharLM(NamedTuple):
    """The prepared weights of a loop over single characters.

    Attributes:
        table: `CharLM.input_table()`.
        layers: `StackedRNN.pack()`.
    """

    table: Array
    layers: PackedStack | None


class CharLM(nnx.Module):
    """A character language model: embedding, recurrent layers, output layer.

    Args:
        vocabulary: the vocabulary of its tokens.
        config: its shape; the defaults of `CharLMConfig` if None.
        rngs: source of the initial weights (stream `params`).
        **overrides: single fields of the configuration.

    Raises:
        UserError: a setting is unknown or impossible.

    Example:
        >>> import jax.numpy as jnp
        >>> from flax import nnx
        >>> from seqnets.data import Vocabulary
        >>> model = CharLM(Vocabulary.from_text("abc"), cell="gru", hidden_features=8, rngs=nnx.Rngs(0))
        >>> logits, carry = model(jnp.zeros((2, 5), jnp.int32), model.initialize_carry(2))
        >>> logits.shape
        (2, 5, 3)

    References:
        Graves, "Generating Sequences With Recurrent Neural Networks", 2013.
        Merity, Keskar, Socher, "Regularizing and Optimizing LSTM Language Models", 2018 (penalties, weight dropout, tying).
    """

    def __init__(self, vocabulary: TextVocabulary, config: CharLMConfig | None = None, *, rngs: nnx.Rngs, **overrides: Any):
        config = settings.replaced(config or CharLMConfig(), overrides, "CharLM")
        self.vocabulary = vocabulary
        self.config = config
        size, features = len(vocabulary), config.embedding_features
        if features:
            self.embedding = nnx.Param(jax.random.normal(rngs.params(), (size, features), jnp.float32))
        self.rnn = make_stack(config, features or size, rngs=rngs)
        if config.tied and features != config.hidden_features:
            self.output_projection = nnx.Param(input_kernel(rngs.params(), (config.hidden_features, features)))
        if not config.tied:
            self.output_kernel = nnx.Param(input_kernel(rngs.params(), (config.hidden_features, size)))
        self.output_bias = nnx.Param(jnp.zeros(size, jnp.float32))

    def describe(self) -> dict[str, Any]:
        """Return the model's description in config.json."""
        return {"kind": "CharLM", "config": asdict(self.config)}

    def labeled_axes(self) -> dict[str, tuple[str, int]]:
        """Return the arrays with an axis of tokens: by name, the list that the axis follows, and the axis."""
        reading = "embedding" if self.config.embedding_features else "rnn.layers.0.cell.kernel"
        axes = {reading: 0, "output_bias": 0, **({} if self.config.tied else {"output_kernel": 1})}
        return {name: ("vocabulary", axis) for name, axis in axes.items()}

    def initialize_carry(self, batch_size: int) -> Carry:
        """Return the carry before the first character: zeros, a tuple with one entry per layer, leaves `(B, H)`."""
        return tuple(cell.initialize_carry((batch_size, cell.in_features)) for cell in self._cells())

    def __call__(
        self, tokens: Array, carry: Carry, *, resets: Array | None = None, key: Array | None = None
    ) -> tuple[Array, Carry]:
        """Predict every next character of a window.

        Args:
            tokens: `(B, T)` int32.
            carry: the state before the window.
            resets: `(B, T)` booleans: zero the state before this character is read.
            key: a JAX key that turns on the noise of training; None for inference.

        Returns:
            Logits `(B, T, V)` float32, and the carry after the window.

        Raises:
            UserError: the tokens are not integers `(B, T)`, or carry or resets do not match them.
        """
        outputs, carry = self.features(tokens, carry, resets=resets, key=key)
        return self.logits(outputs, key=key), carry

    def features(
        self, tokens: Array, carry: Carry, *, resets: Array | None = None, key: Array | None = None
    ) -> tuple[Array, Carry]:
        """Return the last layer's outputs `(B, T, H)` and the carry; arguments as for calling the model."""
        carry, outputs = self._read(tokens, carry, resets, key)
        return outputs, carry

    def states(self, tokens: Array, carry: Carry, *, resets: Array | None = None) -> tuple[Array, Carry, Carry]:
        """Return what the model knows after each character, to look at it.

        Args:
            tokens: `(B, T)` int32.
            carry: the state before the window.
            resets: as for calling the model.

        Returns:
            Logits `(B, T, V)`, the state of every layer after every character in the structure of the carry with leaves
            `(B, T, H)`, and the carry after the window.

        Example:
            >>> from flax import nnx
            >>> from seqnets.data import Vocabulary
            >>> model = CharLM(Vocabulary.from_text("abc"), hidden_features=8, rngs=nnx.Rngs(0))
            >>> logits, states, carry = model.states(jnp.zeros((2, 5), jnp.int32), model.initialize_carry(2))
            >>> states[0].cell.shape
            (2, 5, 8)
        """
        carry, outputs, states = self._read(tokens, carry, resets, None, return_states=True)
        return self.logits(outputs), states, carry

    def read_inputs(self, inputs: Array, carry: Carry) -> tuple[Array, Carry]:
        """Predict from the vectors that the first layer reads, `(B, T, F)`, as `embed` returns them; result as for calling."""
        carry, outputs = self.rnn(inputs, initial_carry=carry, return_carry=True)
        return self.logits(outputs), carry

    def embed(self, tokens: Array) -> Array:
        """Return the vectors that the first layer reads: rows of the embedding, or one-hot vectors; `(...)` -> `(..., F)`."""
        return self._embed(tokens, None)

    def _read(self, tokens: Array, carry: Carry, resets: Array | None, key: Array | None, **options: Any) -> Any:
        tokens = arguments.tokens_of(tokens, ("batch", "time"))
        carry = None if carry is None else arguments.carries(self._cells(), carry, tokens.shape[0])
        input_key, rnn_key = (None, None) if key is None else jax.random.split(key)
        raw = self._first_layer_is_residual() or (self.config.input_dropout and key is not None)
        projected = not raw and not self.config.remat  # which also computes the projection of a chunk again
        inputs = take_rows(self.input_table(), tokens) if projected else self._embed(tokens, input_key)
        noise = {"key": rnn_key, "projected": projected}
        return self.rnn(inputs, initial_carry=carry, resets=resets, return_carry=True, **noise, **options)

    def logits(self, outputs: Array, *, key: Array | None = None) -> Array:
        """Turn the last layer's outputs into logits: `(..., H)` -> `(..., V)` float32."""
        if key is not None:
            outputs = drop_steps(self.config, outputs, self.config.dropout, jax.random.fold_in(key, 1))
        return self._logits(outputs, self._output_kernels())

    def penalty(self, outputs: Array) -> Array:
        """Return the loss penalty for large or quickly changing outputs `(B, T, H)` (AR and TAR)."""
        large = self.config.activation_penalty * jnp.mean(jnp.square(outputs))
        if outputs.shape[1] < 2:
            return large  # a single step has no change, and the mean of nothing would be NaN
        return large + self.config.slowness_penalty * jnp.mean(jnp.square(outputs[:, 1:] - outputs[:, :-1]))

    def input_table(self) -> Array:
        """Return the contribution of every character to the first layer's gates: `(V, gates * H)`."""
        table = self.embedding[...] if self.config.embedding_features else jnp.eye(len(self.vocabulary), dtype=jnp.float32)
        return self._cells()[0].project(table)

    def pack(self) -> PackedCharLM:
        """Return the weights in the fastest layout for `stepper`; not differentiable."""
        return PackedCharLM(self.input_table(), self.rnn.pack())

    def stepper(self, packed: PackedCharLM | None = None) -> Callable[[Array, Carry], tuple[Array, Carry]]:
        """Return a function that reads one character per row: `(tokens (B,), carry) -> (logits (B, V), carry)`.

        The weights are prepared here once, so that a sampling loop around it reads only the kernels that it multiplies by.

        Args:
            packed: the result of `pack`, for speed; without it the layers step one by one in plain JAX.

        Example:
            >>> from flax import nnx
            >>> from seqnets.data import Vocabulary
            >>> model = CharLM(Vocabulary.from_text("abc"), hidden_features=8, rngs=nnx.Rngs(0))
            >>> read = model.stepper(model.pack())
            >>> logits, carry = read(jnp.array([0, 2]), model.initialize_carry(2))
            >>> logits.shape
            (2, 3)
        """
        table, layers = packed or PackedCharLM(self.input_table(), None)
        advance, output_kernels, residual = self.rnn.stepper(layers), self._output_kernels(), self._first_layer_is_residual()

        cells = self._cells()

        def step(tokens: Array, carry: Carry) -> tuple[Array, Carry]:
            tokens = arguments.tokens_of(tokens, ("batch",))
            carry = arguments.carries(cells, carry, tokens.shape[0])
            inputs = self._embed(tokens, None) if residual else None
            outputs, carry = advance(table[tokens], carry, inputs)
            return self._logits(outputs, output_kernels), carry

        return step

    def step(self, tokens: Array, carry: Carry) -> tuple[Array, Carry]:
        """Read one character per row: `(tokens (B,), carry) -> (logits (B, V), carry)`."""
        return self.stepper()(tokens, carry)

    def _cells(self) -> list[Cell]:
        return [cast(Cell, layer.cell) for layer in self.rnn.layers]

    def _output_kernels(self) -> list[Array]:
        if not self.config.tied:
            return [self.output_kernel[...]]
        projection = [self.output_projection[...]] if self.config.embedding_features != self.config.hidden_features else []
        return [*projection, self.embedding[...].T]

    def _logits(self, outputs: Array, kernels: list[Array]) -> Array:
        for kernel in kernels:
            outputs = affine(outputs, kernel)
        return outputs.astype(jnp.float32) + along_last_axis(self.output_bias[...], outputs.ndim)

    def _embed(self, tokens: Array, key: Array | None) -> Array:
        size = len(self.vocabulary)
        x = (
            take_rows(self.embedding[...], tokens)
            if self.config.embedding_features
            else jax.nn.one_hot(tokens, size, dtype=jnp.float32)
        )
        return drop_steps(self.config, x, self.config.input_dropout, key)

    def _first_layer_is_residual(self) -> bool:
        width = self.config.embedding_features or len(self.vocabulary)
        return self.config.residual and width == self.config.hidden_features


def from_description(description: Mapping[str, Any], vocabulary: TextVocabulary | None) -> CharLM:
    """Make the model that a run folder's config.json describes, with arbitrary weights.

    Args:
        description: section `model` of config.json: `kind` and `config`.
        vocabulary: the vocabulary of the run.

    Raises:
        UserError: there is no vocabulary, or the description belongs to another version.
    """
    with described("CharLM"):
        config = stated(description.get("config"), CharLMConfig())
        return CharLM(needed(vocabulary, TextVocabulary), config, rngs=nnx.Rngs(0))
