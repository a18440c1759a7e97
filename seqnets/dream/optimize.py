"""The one loop that makes pictures: it climbs an objective, step by step, in one compiled program."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax.tree_util import Partial

from seqnets import settings
from seqnets.dream.images import Canvas, as_bytes
from seqnets.dream.moves import Move
from seqnets.dream.objectives import Objective
from seqnets.errors import UserError
from seqnets.models.cnn.network import ConvNet
from seqnets.models.extractor import known_preprocessing
from seqnets.models.taps import known_layers, tapped

Frame = Callable[[int, np.ndarray], Any]
"""Called with the number of steps done and the pictures [B, H, W, C] of uint8; True stops."""


@dataclass(frozen=True)
class Dream:
    """Pictures and how they came to be.

    Args:
        values: the canvas' values at the end.
        raw: the pictures, [B, H, W, C] of float32, not clipped.
        objective: its value before every step, [steps, B].
        stopped: why it stopped early; "" if it did not.
    """

    values: np.ndarray
    raw: np.ndarray
    objective: np.ndarray
    stopped: str = ""

    @property
    def pictures(self) -> np.ndarray:
        """The pictures as uint8, [B, H, W, C]."""
        return as_bytes(self.raw)


def fit_image(
    model: Any,
    objective: Objective,
    start: Canvas,
    *,
    steps: int,
    step: float = 1.0,
    rule: str = "adam",
    moves: Sequence[Move] = (),
    seed: int = 0,
    frame: Frame | None = None,
    every: int = 10,
) -> Dream:
    r"""Change a picture so that an objective of its features grows.

    $$ v \leftarrow v + \eta\, r(\nabla_v\, o(x(v), \phi(x(v)))) $$

    Steps that do not give finite pictures stop it, and the last good picture is kept.

    Args:
        model: a network with its `preprocessing`; or any function of pictures [B, H, W, C] of 0 to 255 that returns a dict of
            arrays by layer.
        objective: what should grow.
        start: the values to begin with.
        steps: how many.
        step: $\eta$: for rules l1, l2 and signed in units of the values (of 0 to 255 for pixels).
        rule: r: plain, l1 (divides by the mean size), l2 (by the length), signed, adam, or lbfgs, which finds its own step size.
        moves: what happens between the steps, in this order.
        seed: seed of the moves.
        frame: called with the start and after every `every` steps.
        every: steps between two calls.

    Raises:
        UserError: a layer or rule is unknown, or the objective does not depend on the picture.

    Example:
        >>> from seqnets.dream.images import noise
        >>> from seqnets.dream.objectives import channel
        >>> found = fit_image(lambda x: {"mean": x}, channel("mean", 0), noise((1, 4, 4, 3)), steps=3, step=2.0, rule="signed")
        >>> np.diff(found.objective[:, 0]).round(3).tolist()
        [2.0, 2.0]
    """
    settings.POSITIVE.check("steps", steps)
    optimizer, features = _optimizer(rule, step), watched(model, objective.layers)
    state = _State(start.values, start.values, _begun(start.values, optimizer), jnp.int32(0), jnp.bool_(True), jnp.bool_(False))
    climb = partial(_climb, features, objective, start.picture, jax.random.key(seed), optimizer, tuple(moves), every)
    history: list[np.ndarray] = []
    stopped = "stopped by its caller" if frame and frame(0, as_bytes(start.pictures())) else ""
    while not stopped and len(history) < steps:
        state, values = climb(state, min(every, steps - len(history)))
        if state.flat:
            raise UserError("the objective is constant around the first picture: its gradient is 0 everywhere; " + _ADVICE)
        done = int(state.step) - len(history)
        history.extend(np.asarray(values)[:done])
        if not state.finite:
            stopped = f"after {len(history):,} steps there were numbers that are not finite; the last good picture is kept"
        elif frame and frame(len(history), as_bytes(start.picture(state.values))):
            stopped = "stopped by its caller"
    return Dream(np.asarray(state.values), np.asarray(start.picture(state.values)), np.array(history), stopped)


_ADVICE = "begin with another picture or seed, or choose another layer or unit"


def watched(model: Any, layers: Sequence[str]) -> Partial:
    """Return the function from pictures [B, H, W, C] of 0 to 255 to the outputs of layers, by name.

    Raises:
        UserError: the network has no such layer, or its preprocessing is not known.

    Example:
        >>> watched(lambda x: {"half": x / 2}, ["half"])(jnp.ones(2))["half"]
        Array([0.5, 0.5], dtype=float32)
    """
    if not isinstance(model, ConvNet):
        return model if isinstance(model, Partial) else Partial(model)
    structure, state = nnx.split(model)
    return Partial(_network(structure, known_preprocessing(model), known_layers(model, layers)), state)


@lru_cache(maxsize=64)
def _network(structure: Any, rule: Any, layers: tuple[str, ...]) -> Callable[..., dict[str, jax.Array]]:
    def features(state: Any, pictures: jax.Array) -> dict[str, jax.Array]:
        ordered = pictures[..., ::-1] if rule.channels == "bgr" else pictures
        return tapped(structure, layers, state, rule.normalize(ordered)) if layers else {}

    return features


class _State(NamedTuple):
    values: jax.Array
    good: jax.Array
    memory: Any
    step: jax.Array
    finite: jax.Array
    flat: jax.Array


@partial(jax.jit, static_argnums=(4, 5, 6))
def _climb(features, objective, picture, key, optimizer, moves, most, state, count):
    first = state.step

    def lost(values: jax.Array, key: jax.Array) -> tuple[jax.Array, jax.Array]:
        plain = picture(values)
        seen = plain
        for number, move in enumerate(moves):
            seen = move.view(seen, jax.random.fold_in(key, number))
        value = objective(plain, features(seen))
        return -jnp.sum(value), value

    def once(carry: tuple[_State, jax.Array]) -> tuple[_State, jax.Array]:
        state, history = carry
        here = jax.random.fold_in(key, state.step)
        (loss, value), gradient = jax.value_and_grad(lost, has_aux=True)(state.values, here)
        for move in moves:
            gradient = move.gradient(gradient, state.values)
        change, memory = optimizer.update(
            gradient, state.memory, state.values, value=loss, grad=gradient, value_fn=lambda values: lost(values, here)[0]
        )
        values: Any = optax.apply_updates(state.values, change)
        for move in moves:
            values = move.after(values, state.step + 1)
        good = jnp.where(jnp.isfinite(loss), state.values, state.good)
        finite = jnp.isfinite(loss) & jnp.all(jnp.isfinite(values))
        flat = (state.step == 0) & jnp.all(gradient == 0)
        return _State(jnp.where(finite, values, good), good, memory, state.step + finite, finite, flat), history.at[
            state.step - first
        ].set(value)

    def goes_on(carry: tuple[_State, jax.Array]) -> jax.Array:
        state = carry[0]
        return (state.step < first + count) & state.finite & ~state.flat

    return jax.lax.while_loop(goes_on, once, (state, jnp.zeros((most, len(state.values)))))


@partial(jax.jit, static_argnums=1)
def _begun(values: jax.Array, optimizer: Any) -> Any:
    return optimizer.init(values)


def _divided(size: Callable[[jax.Array, tuple[int, ...]], jax.Array]) -> optax.GradientTransformation:
    def each(gradient: jax.Array) -> jax.Array:
        found = size(gradient, tuple(range(1, gradient.ndim)))
        return jnp.where(found > 0, gradient / jnp.where(found > 0, found, 1.0), 0.0)

    return optax.stateless(lambda gradients, _: jax.tree.map(each, gradients))


def _mean_size(gradient: jax.Array, axes: tuple[int, ...]) -> jax.Array:
    return jnp.mean(jnp.abs(gradient), axes, keepdims=True)


def _length(gradient: jax.Array, axes: tuple[int, ...]) -> jax.Array:
    return jnp.sqrt(jnp.sum(gradient**2, axes, keepdims=True))


RULES: dict[str, Callable[[float], optax.GradientTransformation]] = {
    "plain": optax.sgd,
    "l1": lambda step: optax.chain(_divided(_mean_size), optax.sgd(step)),
    "l2": lambda step: optax.chain(_divided(_length), optax.sgd(step)),
    "signed": lambda step: optax.chain(optax.stateless(lambda g, _: jax.tree.map(jnp.sign, g)), optax.sgd(step)),
    "adam": optax.adam,
    "lbfgs": lambda step: optax.lbfgs(memory_size=10),
}
"""The rules by which a gradient becomes a step."""


@lru_cache(maxsize=64)
def _optimizer(rule: str, step: float) -> Any:
    if rule not in RULES:
        raise UserError(f"rule must be one of {', '.join(RULES)}, not {rule!r}")
    settings.ABOVE_ZERO.check("step", step)
    return optax.with_extra_args_support(RULES[rule](step))
