"""The GPU kernels beside the numbers that every backend owes: how they are written down, chosen and refused."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType

from numerics import assert_close
from recurrence_problems import CELLS, LINEAR, gpu_interpreter, in_bfloat16, problem, results
from seqnets.errors import UserError
from seqnets.ops.backends import scan
from seqnets.ops.backends.gpu import pallas
from seqnets.ops.over_time import sequence
from seqnets.ops.platform import default_platform
from seqnets.ops.recurrent import VANILLA, RecurrentWeights, with_layer_norm
from seqnets.ops.timestep import TimeInputs


@pytest.mark.parametrize("name", CELLS)
def test_both_kernels_can_be_written_down_for_a_gpu(name):
    given = in_bfloat16(problem(CELLS[name], 100, 20, lengths=True, resets=True, zoneout=True))
    traced = jax.jit(partial(results, pallas.run, CELLS[name].recurrence, True)).trace(given)
    assert traced.lower(lowering_platforms=("cuda",)).as_text().count("@mosaic_gpu") == 2


def test_the_warpgroups_of_a_block_share_what_they_multiply():
    cell = CELLS["gru-before"]
    given = problem(cell, 70, 2, lengths=True, steps=2)  # more features than one of them takes
    interpreted = partial(results, lambda *call: pallas.run(*call, gpu_interpreter()), cell.recurrence, False)
    found, expected = [jax.jit(run)(given) for run in (interpreted, partial(results, scan.run, cell.recurrence, False))]
    assert_close(found, expected)


def arguments(units=4):
    state = jnp.zeros((1, units))
    return RecurrentWeights((jnp.eye(units),), {}), state, TimeInputs(jnp.ones((3, 1, units)))


@pytest.mark.parametrize(
    ("recurrence", "change", "message"),
    [
        (VANILLA["tanh"], lambda w, h, x: (w, h.astype(jnp.float16), x), "float32 state"),
        (with_layer_norm(VANILLA["tanh"], True), lambda *call: call, "no layer normalization"),
        (LINEAR["min_gru_tanh"].recurrence, lambda w, h, x: (RecurrentWeights((), {}), h, x), "no recurrent product"),
        (VANILLA["tanh"], lambda *call: arguments(257), "kernels of 257 features need 420 KB"),
        (VANILLA["tanh"], lambda w, h, x: (w, h, TimeInputs(x.projected[:0])), "at least one step"),
    ],
)
def test_what_it_cannot_do_is_reported(recurrence, change, message):
    assert message in pallas.refusal(recurrence, *change(*arguments()), platform="cuda")


def test_what_it_can_do_is_not_refused():
    assert pallas.refusal(VANILLA["tanh"], *arguments(), platform="cuda") is None
    given = in_bfloat16(problem(CELLS["lstm"], 128, 3))
    assert (
        pallas.refusal(CELLS["lstm"].recurrence, given.weights, given.carry, TimeInputs(given.projected), platform="cuda") is None
    )


def test_without_a_gpu_it_is_refused():
    if default_platform() == "cuda":
        pytest.skip("there is a GPU")
    weights, state, inputs = arguments()
    with pytest.raises(UserError, match='backend "pallas" cannot run this: it runs on NVIDIA GPUs only'):
        sequence(VANILLA["tanh"], weights, state, inputs.projected, backend="pallas")


def kernels_lowered_on_a_gpu(backend) -> int:
    weights, state, inputs = arguments()
    traced = jax.jit(partial(sequence, VANILLA["tanh"], backend=backend)).trace(weights, state, inputs.projected)
    return traced.lower(lowering_platforms=("cuda",)).as_text().count("@mosaic_gpu")


def test_auto_takes_it_on_a_gpu(monkeypatch):
    monkeypatch.setattr(pallas, "default_platform", lambda: "cuda")
    monkeypatch.setattr("seqnets.ops.backends.native.refusal", lambda *call: "as on a GPU")
    assert kernels_lowered_on_a_gpu("pallas") == 1
    assert kernels_lowered_on_a_gpu("auto") == 1
    assert kernels_lowered_on_a_gpu("scan") == 0


def test_each_device_of_a_mesh_runs_it_on_its_rows(monkeypatch):
    monkeypatch.setattr(pallas, "default_platform", lambda: "cuda")
    given = problem(CELLS["gru-after"], 20, 32)

    def loss(weights, carry, projected):
        return sequence(CELLS["gru-after"].recurrence, weights, carry, projected, backend="pallas")[0].sum()

    with jax.sharding.use_abstract_mesh(jax.sharding.AbstractMesh((2,), ("data",), axis_types=(AxisType.Auto,))):
        traced = jax.jit(jax.grad(loss, (0, 1, 2))).trace(given.weights, given.carry, given.projected)
        text = traced.lower(lowering_platforms=("cuda",)).as_text()
    assert text.count("@mosaic_gpu") == 2
    assert "tensor<5x1x1x3x64x16xf32>" in text  # 16 rows: one block of them


def test_a_failure_to_lower_is_a_reason(monkeypatch):
    def fails(*call):
        raise NotImplementedError("no such primitive")

    monkeypatch.setattr(pallas, "run", fails)
    weights, _, inputs = arguments(5)
    reason = pallas.refusal(VANILLA["tanh"], weights, jnp.zeros((1, 5)), inputs, platform="cuda")
    assert reason == "this JAX cannot lower it (no such primitive)"
    pallas._lowering_failure.cache_clear()


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("name", CELLS)
def test_on_a_gpu_it_equals_the_scan(name, dtype):
    if default_platform() != "cuda":
        pytest.skip("no NVIDIA GPU here")
    given = problem(CELLS[name], 100, 20, lengths=True, resets=True)
    given = in_bfloat16(given) if dtype == "bfloat16" else given
    with jax.default_matmul_precision("highest"):
        found, expected = [jax.jit(partial(results, run, CELLS[name].recurrence, True))(given) for run in (pallas.run, scan.run)]
    assert np.all([np.isfinite(leaf).all() for leaf in jax.tree.leaves(found)])
    assert_close(found, expected, dtype)
