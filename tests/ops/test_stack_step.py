"""One native step of all layers is a step of each of them after the other."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from numerics import assert_close
from recurrence_problems import CELLS, problem
from seqnets.errors import UserError
from seqnets.ops.backends import native
from seqnets.ops.linear import affine, multiply
from seqnets.ops.native import build
from seqnets.ops.recurrent import LSTM, RecurrentWeights
from seqnets.ops.stack_step import LayerWeights, pack, step
from seqnets.ops.timestep import TimeInputs, advance

pytestmark = pytest.mark.skipif(build.library() is None, reason="no C++ compiler here")


def stack(cell, units, rows, layers):
    """Return the weights and carries of layers, and the lowest one's input."""
    rng, width = np.random.default_rng(units), cell.recurrence.gates * units
    problems = [problem(cell, units, rows, resets=bool(number)) for number in range(layers)]
    inputs = [(None, None)] + [
        (rng.standard_normal((units, width), np.float32) / np.float32(units**0.5), rng.standard_normal(width, np.float32))
        for _ in range(layers - 1)
    ]
    weights = [LayerWeights(*own, given.weights) for own, given in zip(inputs, problems)]
    return weights, [given.carry for given in problems], problems[0].projected[0]


def one_after_the_other(recurrence, layers, carries, projected):
    after, outputs = [], projected
    for layer, carry in zip(layers, carries):
        inputs = TimeInputs(outputs if layer.kernel is None else affine(outputs, layer.kernel, layer.bias))
        kernels, vectors = layer.recurrent
        carry, outputs = advance(recurrence, vectors, lambda k, a, own=kernels: multiply(a, own[k]), carry, inputs)
        after.append(carry)
    return tuple(after)


def at_once(recurrence, layers, carries, projected):
    return step(recurrence, pack(layers), carries, projected)


@pytest.mark.parametrize(("units", "rows", "layers"), [(1, 1, 1), (16, 2, 2), (70, 3, 3), (100, 1, 2), (100, 7, 2)])
@pytest.mark.parametrize("name", CELLS)
def test_it_equals_the_layers_one_after_the_other(name, units, rows, layers):
    given = jax.tree.map(jnp.asarray, stack(CELLS[name], units, rows, layers))
    found, expected = [jax.jit(run, static_argnums=0)(CELLS[name].recurrence, *given) for run in (at_once, one_after_the_other)]
    assert_close(found, expected)


@pytest.mark.parametrize("name", ["lstm", "gru-before", "highway-3"])
def test_it_is_the_same_to_the_last_bit_on_any_number_of_threads(name):
    given = jax.tree.map(jnp.asarray, stack(CELLS[name], 200, 32, 3))
    run = jax.jit(at_once, static_argnums=0)
    try:
        found = []
        for threads in (1, 2, 3, 7):
            native.set_threads(threads)
            found += [jax.tree.leaves(run(CELLS[name].recurrence, *given)) for _ in range(20)]
    finally:
        native.set_threads(None)
    for other in found[1:]:
        assert all(np.array_equal(a, b) for a, b in zip(found[0], other))


def another(array, **layer):
    return [LayerWeights(None, None, array)] + ([LayerWeights(recurrent=array, **layer)] if layer else [])


def kernels(*shape, dtype=jnp.float32):
    return RecurrentWeights((jnp.ones(shape, dtype),), {})


@pytest.mark.parametrize(
    ("layers", "rows", "message"),
    [
        (another(kernels(4, 21)), 3, r"must be \(4, gates \* 4\) in float32, not \(4, 21\)"),
        (another(kernels(4)), 3, "a kernel to pack must be"),
        (another(kernels(4, 16, dtype=jnp.bfloat16)), 3, "not .* in bfloat16"),
        (another(kernels(6, 24)), 3, "weights of layer 0 are not for 4 hidden features of lstm"),
        (another(kernels(4, 12)), 3, "weights of layer 0 are not for 4 hidden features of lstm"),
        (another(kernels(4, 16), kernel=jnp.ones((5, 16)), bias=jnp.ones(16)), 3, "a kernel to pack must be"),
        (another(kernels(4, 16), kernel=jnp.ones((4, 16)), bias=jnp.ones(15)), 3, "weights of layer 1 are not for 4"),
        (another(kernels(4, 16), kernel=None, bias=None), 3, "weights of layer 1 are not for 4"),
        (another(kernels(4, 16)), 1, "carry is for 3 rows, the inputs have 1"),
    ],
)
def test_what_does_not_fit_is_one_sentence(layers, rows, message):
    carries = [(jnp.zeros((3, 4)), jnp.zeros((3, 4)))] * len(layers)
    with pytest.raises(UserError, match=message):
        step(LSTM, pack(layers), carries, jnp.zeros((rows, 16)))
