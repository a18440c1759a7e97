"""What a model remembers: how far back the characters lie that its prediction depends on."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array

from seqnets import settings
from seqnets.errors import UserError

_ROWS = 16


@dataclass(frozen=True)
class Memory:
    """How strongly each prediction of a stretch depends on the characters before it; made by `memory`.

    Attributes:
        start: the index of the stretch's first character in the text.
        gradients: float32 `(L, W)`: row t, column k holds |d log p(token t) / d x(t - 1 - k)|, x being the vector that the model
            read k + 1 characters before token t; 0 before the stretch's context.
    """

    start: int
    gradients: np.ndarray

    @property
    def by_distance(self) -> np.ndarray:
        """The mean gradient `(W,)` by distance, as a share of that of the last character read."""
        mean = self.gradients.mean(0)
        return mean / max(float(mean[0]), 1e-30)

    @property
    def reach(self) -> int:
        """The distance beyond which less than a tenth of all gradient lies: the characters that matter."""
        share = np.cumsum(self.by_distance) / max(float(self.by_distance.sum()), 1e-30)
        return int(np.searchsorted(share, 0.9)) + 1


def memory(model: Any, tokens: Any, *, start: int = 0, length: int = 200, width: int = 100) -> Memory:
    """Compute the gradient of every prediction of a stretch by every character before it.

    Args:
        model: a `CharLM`.
        tokens: integers `(N,)`.
        start: the index of the stretch's first predicted token; at least 1 in effect, since the first has no character before.
        length: L, predicted tokens.
        width: W, how far back to look.

    Raises:
        UserError: the stretch lies outside of the text.

    Example:
        >>> from seqnets.data import Vocabulary
        >>> from seqnets.models.char_lm import CharLM
        >>> model = CharLM(Vocabulary.from_text("abc"), hidden_features=8, rngs=nnx.Rngs(0))
        >>> found = memory(model, model.vocabulary.encode("abcabcabc"), length=4, width=3)
        >>> found.gradients.shape, found.start
        ((4, 3), 1)

    References:
        Madsen, "Visualizing memorization in RNNs", Distill, 2019.
    """
    tokens = np.asarray(tokens, np.int32)
    start, length, width = max(1, start), settings.whole("length", length), settings.whole("width", width)
    if len(tokens) < 2 or not 0 < start < len(tokens):
        raise UserError(f"a text of {len(tokens):,} characters has no character {start:,} to predict; begin earlier")
    predicted = np.arange(start, min(len(tokens), start + length))
    begins = np.maximum(0, predicted - width)  # of the windows: one for each prediction
    windows = tokens[np.minimum(begins[:, None] + np.arange(width), len(tokens) - 1)]
    graph, values = nnx.split(model)
    carries = _states_at(graph, values, _state_before(model, tokens[: begins[0]]), tokens[begins[0] : begins[-1]])
    norms = []
    for first in range(0, len(predicted), _ROWS):
        rows = np.minimum(np.arange(first, first + _ROWS), len(predicted) - 1)
        carry = jax.tree.map(lambda leaf, rows=rows: leaf[begins[rows] - begins[0]], carries)
        at = (predicted - begins - 1)[rows]
        norms.append(np.asarray(_gradients(graph, values, windows[rows], tokens[predicted[rows]], at, carry)))
    found = np.concatenate(norms)[: len(predicted)]  # of each prediction, by every input of its window
    back = (predicted - begins - 1)[:, None] - np.arange(width)
    return Memory(start, np.where(back >= 0, np.take_along_axis(found, np.maximum(back, 0), axis=1), 0).astype(np.float32))


@partial(jax.jit, static_argnums=0)
def _states_at(graph: Any, values: Any, carry: Any, tokens: Array) -> Any:
    """Return the states before each of some tokens and after the last: leaves `(N + 1, ...)`."""
    read = nnx.merge(graph, values).stepper()

    def advanced(state: Any, token: Array) -> tuple[Any, Any]:
        after = read(token[None], state)[1]
        return after, jax.tree.map(lambda leaf: leaf[0], after)

    _, later = jax.lax.scan(advanced, carry, jnp.asarray(tokens))
    return jax.tree.map(lambda first, rest: jnp.concatenate([first, rest]), carry, later)


def _state_before(model: Any, tokens: np.ndarray) -> Any:
    carry = model.initialize_carry(1)
    return model.features(tokens[None], carry)[1] if len(tokens) else carry


@partial(jax.jit, static_argnums=0)
def _gradients(graph: Any, values: Any, inputs: Array, targets: Array, at: Array, carry: Any) -> Array:
    model = nnx.merge(graph, values)

    def chosen(vectors: Array) -> Array:
        logits, _ = model.read_inputs(vectors, carry)
        log_probs = jax.nn.log_softmax(jnp.take_along_axis(logits, at[:, None, None], axis=1)[:, 0])
        return jnp.take_along_axis(log_probs, jnp.asarray(targets)[:, None], axis=1).sum()  # each row has its own prediction

    return jnp.linalg.norm(jax.grad(chosen)(model.embed(jnp.asarray(inputs))), axis=-1)
