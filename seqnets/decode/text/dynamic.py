"""Dynamic evaluation: a model that learns from the text it is scored on, after each piece is scored."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array

from seqnets.decode.text.config import DynamicConfig
from seqnets.decode.text.prompt import Split
from seqnets.decode.text.scoring import Passage, Progress, Score, check_tokens, tell, token_losses


def dynamic_score(
    model: Any,
    tokens: Any,
    *,
    config: DynamicConfig | None = None,
    context: Any = None,
    separator: tuple[int, ...] | None = None,
    chunk: int = 64,
    progress: Progress | None = None,
) -> Score:
    """Return how well a model predicts a text while it learns from it.

    Each segment is scored with the current parameters, which then take one step on it:

        theta <- theta - r g / (sqrt(m) + epsilon) + min(1, d s) (theta_0 - theta)

    where g is the gradient of the segment's mean loss, m the mean of g^2 over the segments so far ("rms"; "sgd"
    does not divide), theta_0 the trained parameters, r the learning rate, d the decay, and s = sqrt(m) / mean(sqrt(m))
    ("rms"; 1 for "sgd"). No character is learned from before it is scored. The given model is not changed.

    Args:
        model: a `CharLM`.
        tokens: as `score` takes them.
        config: how the model adapts.
        context: tokens that stand before the text; read and learned from, not counted.
        separator: tokens of the document separator, at whose last token the carry is reset.
        chunk: segments per dispatch.
        progress: called from time to time with the characters predicted so far and in total.

    Raises:
        UserError: there is nothing to predict, or a token is not in the model's vocabulary.

    References:
        Krause, Kahembwe, Murray, Renals, Dynamic evaluation of neural sequence models, 2018. In the paper, m comes from the
        training data; here it comes from the segments so far, so that no training data is needed.

    Example:
        >>> from flax import nnx
        >>> from seqnets.data import Vocabulary
        >>> from seqnets.models.char_lm import CharLM
        >>> from seqnets.decode.text.scoring import score
        >>> vocabulary = Vocabulary.from_text("ab")
        >>> model = CharLM(vocabulary, hidden_features=8, rngs=nnx.Rngs(0))
        >>> text = vocabulary.encode("ab" * 500)
        >>> dynamic_score(model, text).nats < score(model, text).nats
        True
    """
    config = config or DynamicConfig()
    split, text = Split.of(model), Passage.of(tokens, context, separator)
    text.check()
    graph, trained, rest = nnx.split(nnx.merge(split.graph, split.values), nnx.Param, ...)
    state = _start(trained, split.initialize_carry(1))
    total, units = 0.0, 0
    for first in range(0, len(text) - 1, config.segment * chunk):
        segments, counts = _segments(text, first, (chunk, config.segment), len(split.vocabulary))
        state, losses = _adapt(graph, config.rule, trained, rest, state, segments, _rates(config))
        total += float(np.asarray(losses, np.float64)[counts].sum())
        units += int(split.vocabulary.units_in[segments.targets[counts]].sum())
        tell(progress, min(first + config.segment * chunk, text.count), text.count)
    return Score(total / units, units, split.vocabulary.unit)


class _Segments(NamedTuple):
    inputs: np.ndarray  # (K, 1, T)
    targets: np.ndarray
    resets: np.ndarray
    weights: np.ndarray  # 0 beyond the end of the text


class _State(NamedTuple):
    params: Any
    squares: Any  # sums of g^2
    count: Array
    carry: Any


class _Rates(NamedTuple):
    learning_rate: Array
    decay: Array
    epsilon: Array


def _start(params: Any, carry: Any) -> _State:
    return _State(params, jax.tree.map(jnp.zeros_like, params), jnp.float32(0), carry)


def _rates(config: DynamicConfig) -> _Rates:
    return _Rates(*(jnp.float32(getattr(config, name)) for name in _Rates._fields))


def _segments(text: Passage, first: int, shape: tuple[int, int], vocabulary: int) -> tuple[_Segments, np.ndarray]:
    read = first + np.arange(shape[0] * shape[1]).reshape(shape[0], 1, shape[1])
    inside = read + 1 < len(text)
    inputs, targets = (text.gather(np.minimum(at, len(text) - 1)) for at in (read, read + 1))
    check_tokens(inputs, vocabulary)
    check_tokens(targets, vocabulary)
    return _Segments(inputs, targets, text.resets(read), inside.astype(np.float32)), inside & (read + 1 >= text.first)


@partial(jax.jit, static_argnums=(0, 1))
def _adapt(graph: Any, rule: str, trained: Any, rest: Any, state: _State, segments: _Segments, rates: _Rates) -> Any:
    def loss(params: Any, segment: _Segments, carry: Any) -> tuple[Array, tuple[Array, Any]]:
        model = nnx.merge(graph, params, rest)
        losses, carry = token_losses(model, segment.inputs, segment.targets, segment.resets, carry)
        weights = jnp.asarray(segment.weights)
        return jnp.sum(losses * weights) / jnp.maximum(jnp.sum(weights), 1), (losses, carry)

    def step(state: _State, segment: _Segments) -> tuple[_State, Array]:
        gradients, (losses, carry) = jax.grad(loss, has_aux=True)(state.params, segment, state.carry)
        return _learned(rule, trained, state._replace(carry=carry), gradients, rates), losses

    return jax.lax.scan(step, state, segments)


def _learned(rule: str, trained: Any, state: _State, gradients: Any, rates: _Rates) -> _State:
    squares, count = jax.tree.map(lambda s, g: s + g * g, state.squares, gradients), state.count + 1
    roots = jax.tree.map(lambda s: jnp.sqrt(s / count) if rule == "rms" else jnp.ones_like(s), squares)
    mean = sum(jnp.sum(root) for root in jax.tree.leaves(roots)) / sum(root.size for root in jax.tree.leaves(roots))

    def updated(theta: Array, start: Array, g: Array, root: Array) -> Array:
        scale = root + rates.epsilon if rule == "rms" else 1.0
        back = jnp.minimum(rates.decay * root / jnp.maximum(mean, 1e-30), 1.0)
        return (theta - rates.learning_rate * g / scale + back * (start - theta)).astype(theta.dtype)

    params = jax.tree.map(updated, state.params, trained, gradients, roots)
    return _State(params, squares, count, state.carry)
