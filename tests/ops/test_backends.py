"""Every backend gives the reference's numbers: outputs, last states and all gradients, whatever the shape and the masks."""

import itertools
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental import rnn

from numerics import assert_close
from recurrence_problems import CELLS, LINEAR, expected, gpu_interpreter, in_bfloat16, problem, results
from seqnets.ops.backends import native, parallel, reference, scan
from seqnets.ops.backends.gpu import cudnn, pallas
from seqnets.ops.native import build
from seqnets.ops.over_time import sequence
from seqnets.ops.recurrent import LSTMState
from seqnets.ops.timestep import TimeInputs

SHAPES = list(itertools.product((1, 5, 16, 17, 64, 100), (1, 3, 32)))  # hidden units and rows
FLAGS = list(itertools.product((False, True), repeat=3))  # reverse, lengths, resets


class Backend(NamedTuple):
    run: Callable
    cells: dict
    shapes: list
    marks: Any = ()
    resets: bool = True
    zoneout: bool = True
    every: list = SHAPES


def pallas_interpreted(*arguments):
    return pallas.run(*arguments, gpu_interpreter())


def cudnn_by_definition(recurrence, reverse, weights, carry, inputs):
    """Feed what is projected already through an input kernel of ones on the diagonal."""
    del recurrence
    features = inputs.projected.shape[-1]
    one = cudnn.Direction(jnp.eye(features), weights.kernels[0], jnp.zeros(features))
    lengths = None if inputs.valid is None else inputs.valid.sum(0)
    outputs, (last,) = cudnn.run([one], [LSTMState(*carry)], inputs.projected.swapaxes(0, 1), lengths=lengths, reverse=reverse)
    return outputs.swapaxes(0, 1), last


def lstm_by_definition(shape, x, hidden, cell, flat, lengths):
    weights = rnn.unpack_lstm_weights(flat, *shape)
    return rnn.lstm_ref(x, hidden, cell, *weights, lengths, *shape[:3], 0.0, shape.bidirectional)


BACKENDS = {
    "scan": Backend(scan.run, CELLS | LINEAR, [(5, 3)]),
    "native": Backend(
        native.run, CELLS, SHAPES, pytest.mark.skipif(build.library() is None, reason="no C++ compiler here"), zoneout=False
    ),
    "parallel": Backend(parallel.run, LINEAR, [(5, 3), (4, 2)]),  # with resets, and without, which would hide what lengths do
    "pallas": Backend(pallas_interpreted, CELLS, [(20, 3)], every=[(20, 18), (70, 3)]),  # an hour for all shapes
    "cudnn": Backend(cudnn_by_definition, {"lstm": CELLS["lstm"]}, [(5, 3), (1, 1)], resets=False, zoneout=False),
}
TABLE = [
    pytest.param(backend, name, marks=backend.marks, id=f"{kind}-{name}")
    for kind, backend in BACKENDS.items()
    for name in backend.cells
]


@pytest.fixture(autouse=True)
def _no_gpu_needed(monkeypatch):
    monkeypatch.setattr(cudnn, "lstm", lstm_by_definition)


def check(backend: Backend, name: str, units: int, rows: int, flags: tuple[bool, bool, bool]):
    reverse, lengths, resets = flags
    cell = backend.cells[name]
    given = problem(cell, units, rows, lengths, resets and backend.resets, resets and backend.zoneout)
    found = jax.jit(partial(results, backend.run, cell.recurrence, reverse))(given)
    assert_close(jax.tree.map(np.asarray, found), expected(cell, reverse, given))


@pytest.mark.parametrize(("backend", "name"), TABLE)
def test_equals_the_reference(backend, name):
    for k, (units, rows) in enumerate(backend.shapes):  # every flag meets every height of a tile and every width of a tail
        check(backend, name, units, rows, FLAGS[(5 * k + 3 * (k // 8)) % 8 if len(backend.shapes) > 2 else 7 - k])


@pytest.mark.slow
@pytest.mark.parametrize("flags", FLAGS)
@pytest.mark.parametrize(("backend", "name"), TABLE)
def test_equals_the_reference_in_every_case(backend, name, flags):
    for units, rows in backend.every:
        check(backend, name, units, rows, flags)


WITHOUT_GRADIENTS = ("native-lstm", "native-highway-3", "pallas-tanh")  # these take another way then


@pytest.mark.parametrize(("backend", "name"), [entry for entry in TABLE if entry.id in WITHOUT_GRADIENTS])
def test_infers_as_it_trains(backend, name):
    cell = backend.cells[name]
    given = problem(cell, 20, 7, lengths=True, resets=True)
    trained, _ = jax.jit(partial(results, backend.run, cell.recurrence, True))(given)
    inputs = TimeInputs(given.projected, given.resets, given.valid)
    inferred = jax.jit(partial(backend.run, cell.recurrence, True))(given.weights, given.carry, inputs)
    assert all(np.array_equal(a, b) for a, b in zip(jax.tree.leaves(inferred), jax.tree.leaves(trained), strict=True))


IN_BFLOAT16 = ("scan-lstm", "scan-gru-after", "parallel-min_lstm_tanh", "pallas-lstm")  # the others are float32 only


@pytest.mark.parametrize(("backend", "name"), [entry for entry in TABLE if entry.id in IN_BFLOAT16])
def test_bfloat16_products_with_a_float32_state(backend, name):
    cell = backend.cells[name]
    given = in_bfloat16(problem(cell, 20, 18, lengths=True, steps=2))  # two blocks of the kernels for a GPU
    found, wanted = [jax.jit(partial(results, run, cell.recurrence, False))(given) for run in (backend.run, reference.run)]
    assert [leaf.dtype for leaf in jax.tree.leaves(found)] == [leaf.dtype for leaf in jax.tree.leaves(wanted)]
    assert_close(found, wanted, "bfloat16")


def loss(weights, carry, projected):
    outputs, last = sequence(CELLS["lstm"].recurrence, weights, carry, projected)
    return (outputs**2).sum() + last.cell.sum()


@pytest.mark.parametrize("platform", ["cuda", "tpu"])
def test_what_auto_chose_here_is_lowered_for_another_platform_without_kernels_of_this_one(platform):
    given = problem(CELLS["lstm"], 4, 2)
    traced = jax.jit(jax.grad(loss)).trace(given.weights, given.carry, given.projected)
    assert "seqnets_" not in traced.lower(lowering_platforms=(platform,)).as_text()
    assert ("seqnets_lstm_backward" in traced.lower().as_text()) == (build.library() is not None)


def test_what_is_exported_runs_elsewhere():
    given = problem(CELLS["lstm"], 4, 2)
    arguments = (given.weights.kernels, given.carry.hidden, given.projected)

    def portable(kernels, hidden, projected):
        weights, carry = given.weights._replace(kernels=kernels), LSTMState(hidden, hidden)
        return sequence(CELLS["lstm"].recurrence, weights, carry, projected, backend="scan")[0]

    exported = jax.export.export(jax.jit(portable), platforms=("cpu", "cuda", "tpu"))(*arguments)
    assert_close(exported.call(*arguments), jax.jit(portable)(*arguments))
