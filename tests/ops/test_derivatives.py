"""Every function with a backward pass of its own has the derivatives of its plain definition, of every order and mode."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.experimental import rnn

from numerics import assert_close
from recurrence_problems import CELLS, LINEAR, problem
from seqnets.ops.backends import native, parallel, reference, scan
from seqnets.ops.backends.gpu import cudnn
from seqnets.ops.canonical_conv import LAYOUT, convolve
from seqnets.ops.derivatives import differentiable
from seqnets.ops.lookup import take_rows
from seqnets.ops.maxima import largest
from seqnets.ops.native import build
from seqnets.ops.over_time import sequence
from seqnets.ops.timestep import TimeInputs


class Case(NamedTuple):
    found: Callable
    wanted: Callable
    arguments: tuple


def recurrence(run: Callable, name: str, reverse: bool = False, **masks: bool) -> Case:
    cell, (units, rows, steps) = (CELLS | LINEAR)[name], (3, 2, 4)
    given = problem(cell, units, rows, steps=steps, **masks)

    def by(run: Callable) -> Callable:
        def call(weights, carry, projected):
            inputs = TimeInputs(projected, given.resets, given.valid, given.zoneout)
            return jax.tree.leaves(run(cell.recurrence, reverse, weights, carry, inputs))

        return call

    return Case(by(run), by(reference.run), (given.weights, given.carry, given.projected))


def auto(recurrence, reverse, weights, carry, inputs):
    return sequence(recurrence, weights, carry, inputs.projected, resets=inputs.resets, zoneout=inputs.zoneout, reverse=reverse)


def normal(*shape: int) -> np.ndarray:
    return np.random.default_rng(len(shape)).standard_normal(shape, np.float32)


def plain_convolution(x, kernel):
    return lax.conv_general_dilated(x, kernel, (2, 1), ((1, 0), (0, 2)), rhs_dilation=(1, 2), dimension_numbers=LAYOUT)


def plain_largest(x):
    windows = [x[:, a : a + 3, b : b + 3] for a in range(2) for b in range(2)]
    return jnp.stack(windows).max(0)


def cudnn_case(layers: int, bidirectional: bool) -> Case:
    shape = cudnn.Shape(3, 2, layers, bidirectional)
    ways = layers * (1 + bidirectional)
    widths = [3 if k < 1 + bidirectional else 2 * (1 + bidirectional) for k in range(ways)]
    parts = [cudnn.Direction(normal(width, 8), normal(2, 8), normal(8)) for width in widths]
    lengths = jnp.array([4, 2], jnp.int32)

    def wanted(x, hidden, cell, flat):
        weights = rnn.unpack_lstm_weights(flat, *shape)
        y, *last = rnn.lstm_ref(x, hidden, cell, *weights, lengths, *shape[:3], 0.0, bidirectional)
        return jnp.where(jnp.arange(4)[None, :, None] < lengths[:, None, None], y, 0), *last

    def found(x, hidden, cell, flat):
        return cudnn.lstm_definition(shape, x, hidden, cell, flat, lengths)

    return Case(found, wanted, (normal(2, 4, 3), normal(ways, 2, 2), normal(ways, 2, 2) / 2, np.asarray(cudnn.pack(parts))))


def cases() -> dict[str, Case]:
    table: dict[str, Any] = {}
    for name in CELLS:
        table[f"scan-{name}"] = recurrence(scan.run, name, reverse=True, lengths=True)
        table[f"native-{name}"] = recurrence(native.run, name, resets=True)
    table |= {f"parallel-{name}": recurrence(parallel.run, name, resets=True, lengths=True) for name in LINEAR}
    table |= {f"auto-{name}": recurrence(auto, name) for name in ("lstm", "gru-after", "min_gru_positive")}
    table["zoneout"] = recurrence(scan.run, "lstm", zoneout=True)
    table["convolution"] = Case(
        lambda x, kernel: [convolve(x, kernel, (2, 1), ((1, 0), (0, 2)), (1, 2))],
        lambda x, kernel: [plain_convolution(x, kernel)],
        (normal(2, 5, 6, 2), normal(3, 2, 2, 3)),
    )
    table["pooling"] = Case(
        lambda x: [largest(x, (2, 2), (1, 1), ((0, 0), (0, 0))) ** 2], lambda x: [plain_largest(x) ** 2], (normal(2, 4, 4, 3),)
    )
    tokens = jnp.array([[1, 0, 1], [3, 3, 2]])
    table["lookup"] = Case(
        lambda table: [jnp.sin(take_rows(table, tokens))], lambda table: [jnp.sin(table[tokens])], (normal(4, 3),)
    )
    table |= {f"cudnn-{n}-{both}": cudnn_case(n, both) for n, both in ((1, False), (2, False), (2, True))}
    return table


TABLE = {name: case for name, case in cases().items() if build.library() or not name.startswith("native")}


def along(arguments: Any, seed: int = 5) -> Any:
    leaves, structure = jax.tree.flatten(arguments)
    rng = np.random.default_rng(seed)
    return structure.unflatten([rng.standard_normal(leaf.shape, np.float32) for leaf in leaves])


def loss(function: Callable, *arguments: Any) -> jax.Array:
    return sum(jnp.sum(jnp.cos(leaf + 0.3)) for leaf in function(*arguments))


def derivatives(function: Callable, arguments: tuple) -> dict[str, Any]:
    every, direction = tuple(range(len(arguments))), along(arguments)
    slope = jax.grad(partial(loss, function), every)

    def penalty(*arguments):
        return sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(slope(*arguments)))

    def along_direction(*arguments):
        return jax.jvp(function, arguments, direction)[1]

    _, linear = jax.linearize(function, *arguments)
    two = jax.tree.map(lambda leaf: jnp.stack([leaf, 2 * leaf]), direction)
    near = jax.tree.map(lambda leaf: jnp.stack([leaf, leaf + 0.1]), arguments)
    return {
        "value": function(*arguments),
        "gradient": slope(*arguments),
        "jvp": along_direction(*arguments),
        "linearize": linear(*direction),
        "jvps": jax.vmap(lambda *vector: jax.jvp(function, arguments, vector)[1])(*two),
        "gradients": jax.vmap(slope)(*near),
        "gradient of a gradient": jax.grad(penalty, every)(*arguments),
        "forward over reverse": jax.jvp(slope, arguments, direction)[1],
        "reverse over forward": jax.grad(partial(loss, along_direction), every)(*arguments),
        "forward over forward": jax.jvp(along_direction, arguments, direction)[1],
    }


QUICK = ("native-lstm", "auto-gru-after", "parallel-min_gru_tanh", "zoneout", "convolution", "pooling", "lookup")


@pytest.mark.parametrize("name", [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in TABLE])
def test_has_the_derivatives_of_its_definition(name):
    case = TABLE[name]
    found, wanted = [jax.jit(partial(derivatives, function))(case.arguments) for function in (case.found, case.wanted)]
    for kind in wanted:
        assert_close(found[kind], wanted[kind])


def test_a_first_gradient_pays_for_no_other():
    """The definition, which all other derivatives come from, leaves nothing in the compiled program."""
    known = differentiable(jnp.exp, lambda x: (2 * x, x * x), lambda arguments, y, kept, d: (d * kept,))
    gradient = jax.jit(jax.grad(lambda x: known(jnp.cos(x)).sum()))
    assert "exponential" not in gradient.lower(jnp.ones(7)).compile().as_text()
    assert "exponential" in jax.jit(lambda x: jax.jvp(known, (x,), (x,))).lower(jnp.ones(7)).compile().as_text()


def test_what_a_backward_pass_leaves_out_comes_from_the_definition():
    known = differentiable(lambda a, b: a * b, lambda a, b: (a * b, None), lambda arguments, y, kept, d: (None, 7 * d))
    assert [g.item() for g in jax.grad(known, (0, 1))(2.0, 3.0)] == [3.0, 7.0]
