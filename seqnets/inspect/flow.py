"""Whether gradients explode or vanish on their way back through time, and after how many steps.

Pascanu, Mikolov, Bengio, "On the difficulty of training recurrent neural networks", 2013: the gradient of a loss by the state k
steps earlier is multiplied by k Jacobians of the step, so their largest singular values decide how it grows or shrinks.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array
from jax.flatten_util import ravel_pytree

from seqnets.errors import UserError

Step = Callable[[Any, Array], Any]  # (state, input) -> state
_STEADY = 0.002  # a growth per step nearer to 1 than this is neither
_GONE = 0.01


@dataclass(frozen=True)
class GradientFlow:
    """How gradients travel back through time; made by `gradient_flow`.

    Attributes:
        recurrent: the largest singular value of every layer's recurrent kernels, one list per layer.
        jacobians: the largest singular value of the whole step's Jacobian d state(t) / d state(t - 1) at places of the text.
        norms: float64 `(W,)`: the mean norm of the loss's gradient by the state k steps before it, as a share of that at k = 0.
        gradient_norms: norms of the gradient by all weights, one per window of the text, as training sees them.
        clip_norm: the norm that training clips to; None for none.
    """

    recurrent: list[list[float]]
    jacobians: np.ndarray
    norms: np.ndarray
    gradient_norms: np.ndarray = field(default_factory=lambda: np.zeros(0))
    clip_norm: float | None = None

    @property
    def growth(self) -> float:
        """The factor by which the gradient grows with each step back, fitted to `norms` in the logarithm."""
        logs = np.log(np.maximum(self.norms, 1e-300))
        return float(math.exp(np.polyfit(np.arange(len(logs)), logs, 1)[0])) if len(logs) > 1 else 1.0

    @property
    def gone_after(self) -> int | None:
        """The steps after which a hundredth of the gradient is left; None if it is not within the window."""
        below = np.flatnonzero(self.norms < _GONE)
        return int(below[0]) if len(below) else None

    @property
    def clipped(self) -> float:
        """The share of windows whose gradient training clips."""
        if self.clip_norm is None or not len(self.gradient_norms):
            return 0.0
        return float((self.gradient_norms > self.clip_norm).mean())

    @property
    def diagnosis(self) -> str:
        """One sentence with advice.

        Example:
            >>> GradientFlow([[1.0]], np.ones(1), 0.5 ** np.arange(20)).diagnosis
            'gradients vanish: 1% is left after 7 steps, and little is learned from before; gates (model.cell lstm or gru) and a
            larger model.forget_bias carry them further'
        """
        if not np.isfinite(self.norms).all():
            return "gradients are not finite; lower the learning rate, or clip them (train.clip_norm)"
        if self.growth > 1 + _STEADY and self.norms[-1] > 1:
            held = "clipping holds them" if self.clip_norm is not None else "clip them (train.clip_norm)"
            return f"gradients explode: they are {self.norms[-1]:.3g} times as large after {len(self.norms) - 1} steps; {held}"
        if self.gone_after is not None:
            gates = "gates (model.cell lstm or gru) and a larger model.forget_bias carry them further"
            return f"gradients vanish: 1% is left after {self.gone_after} steps, and little is learned from before; {gates}"
        return f"gradients last: {100 * self.norms[-1]:.3g}% is left after {len(self.norms) - 1} steps"

    def to_json(self) -> dict[str, Any]:
        """Return all figures by name, for `json.dump`."""
        lists = {name: np.asarray(getattr(self, name)).tolist() for name in ("jacobians", "norms", "gradient_norms")}
        names = ("recurrent", "clip_norm", "growth", "gone_after", "clipped", "diagnosis")
        return lists | {name: getattr(self, name) for name in names}


def gradient_flow(
    model: Any, tokens: Any, *, width: int = 100, rows: int = 16, places: int = 8, clip_norm: float | None = None
) -> GradientFlow:
    """Measure how gradients travel back through time while a model reads a text.

    Args:
        model: a `CharLM`.
        tokens: integers `(N,)`, N > `width` + 1.
        width: W, how many steps back, the last state included.
        rows: windows of the text to average over.
        places: where to compute the step's Jacobian.
        clip_norm: the norm that training clips to, to report how often it does.

    Raises:
        UserError: the text is too short.

    Example:
        >>> from seqnets.data import Vocabulary
        >>> from seqnets.models.char_lm import CharLM
        >>> model = CharLM(Vocabulary.from_text("abc"), cell="vanilla", hidden_features=8, rngs=nnx.Rngs(0))
        >>> found = gradient_flow(model, model.vocabulary.encode("abcab" * 20), width=10, rows=2, places=2)
        >>> found.norms.shape, found.jacobians.shape
        ((10,), (2,))
    """
    tokens = np.asarray(tokens, np.int32)
    if len(tokens) < width + 2:
        raise UserError(f"a text of {len(tokens):,} characters is too short to follow gradients over {width} steps; give more")
    graph, values = nnx.split(model)
    begins = np.linspace(0, len(tokens) - width - 2, rows).astype(int)
    windows = np.stack([tokens[begin : begin + width + 2] for begin in begins])
    norms, carry = _norms_of_losses(graph, values, windows)
    at = np.linspace(0, rows - 1, min(places, rows)).astype(int)
    states = [jax.tree.map(lambda leaf, row=row: leaf[row], carry) for row in at]
    steps = [step_jacobian(graph, values, state, jnp.asarray(windows[row, -2])) for row, state in zip(at, states)]
    jacobians = [largest_singular_value(step) for step in steps]
    cells = [layer.cell for layer in model.rnn.layers]
    kernels = [[float(np.linalg.norm(np.asarray(k, np.float64), 2)) for k in cell.recurrent_kernels()] for cell in cells]
    weights = np.asarray(_norms_by_weights(graph, values, windows), np.float64)
    mean = np.asarray(norms, np.float64).mean(0)
    return GradientFlow(kernels, np.array(jacobians), mean / max(mean[0], 1e-300), weights, clip_norm)


def norms_back(step: Step, state: Any, inputs: Array, loss: Callable[[Any], Array]) -> tuple[Array, Any]:
    """Return the norm of a loss's gradient by every state before it, and the last state.

    Args:
        step: one step of a recurrence: `(state, input) -> state`.
        state: before the first step; leaves `(B, H)`.
        inputs: `(T, B, ...)`.
        loss: of the last state: `state -> (B,)`.

    Returns:
        Norms `(B, T)`: column k is by the state k steps before the last.

    Example:
        >>> halved = norms_back(lambda h, x: 0.5 * h + x, jnp.zeros((1, 2)), jnp.ones((3, 1, 2)), lambda h: h.sum(-1))[0]
        >>> (halved / halved[:, :1]).round(4).tolist()
        [[1.0, 0.5, 0.25]]
    """

    def last(offsets: Any) -> tuple[Array, Any]:
        def advanced(state: Any, now: Any) -> tuple[Any, None]:
            x, offset = now
            return jax.tree.map(jnp.add, step(state, x), offset), None

        end, _ = jax.lax.scan(advanced, state, (inputs, offsets))
        return loss(end).sum(), end

    offsets = jax.tree.map(lambda leaf: jnp.zeros((len(inputs), *leaf.shape), leaf.dtype), state)
    gradients, end = jax.grad(last, has_aux=True)(offsets)
    squares = sum(jnp.square(leaf).sum(-1) for leaf in jax.tree.leaves(gradients))
    return jnp.sqrt(squares)[::-1].T, end


def largest_singular_value(matrix: Any) -> float:
    """Return the largest singular value of a square matrix.

    Example:
        >>> largest_singular_value(np.diag([3.0, 1.0]))
        3.0
    """
    from scipy.sparse.linalg import svds  # one of JAX's own dependencies

    matrix = np.asarray(matrix, np.float64)
    if len(matrix) < 3:
        return float(np.linalg.norm(matrix, 2))
    start = np.random.default_rng(0).standard_normal(len(matrix))
    found: Any = svds(matrix, k=1, return_singular_vectors=False, v0=start)
    return float(found[0])


@partial(jax.jit, static_argnums=0)
def step_jacobian(graph: Any, values: Any, state: Any, token: Array) -> Array:
    """Return the Jacobian `(S, S)` of a split model's step, of the flat state after by the flat state before.

    Args:
        graph: of `nnx.split(model)`.
        values: of `nnx.split(model)`.
        state: before the step; leaves `(H,)`.
        token: what the step reads.
    """
    flat, restored = ravel_pytree(state)
    model = nnx.merge(graph, values)

    def step(flat: Array) -> Array:
        rows = jax.tree.map(lambda leaf: leaf[None], restored(flat))
        return ravel_pytree(model.step(token[None], rows)[1])[0]

    return jax.jacobian(step)(flat)


@partial(jax.jit, static_argnums=0)
def _norms_of_losses(graph: Any, values: Any, windows: Array) -> tuple[Array, Any]:
    model = nnx.merge(graph, values)
    read, windows = model.stepper(), jnp.asarray(windows)

    def loss(state: Any) -> Array:
        logits, _ = read(windows[:, -2], state)
        return -jnp.take_along_axis(jax.nn.log_softmax(logits), windows[:, -1:], axis=1)[:, 0]

    begin = model.initialize_carry(len(windows))
    return norms_back(lambda state, tokens: read(tokens, state)[1], begin, windows[:, :-2].T, loss)


@partial(jax.jit, static_argnums=0)
def _norms_by_weights(graph: Any, values: Any, windows: Array) -> Array:
    def loss(values: Any, window: Array) -> Array:
        model = nnx.merge(graph, values)
        logits, _ = model(window[None, :-1], model.initialize_carry(1))
        return -jnp.take_along_axis(jax.nn.log_softmax(logits), window[None, 1:, None], axis=-1).mean()

    def norm(window: Array) -> Array:
        leaves = jax.tree.leaves(jax.grad(loss)(values, window))
        return jnp.sqrt(sum(jnp.square(leaf).sum() for leaf in leaves))

    return jax.lax.map(norm, jnp.asarray(windows))
