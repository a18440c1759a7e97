"""Computing gates again changes memory, and nothing else."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import seqnets.nn as snn
from cell_table import CORE, CORE_IDS
from numerics import assert_close
from seqnets.errors import UserError

B, T, F, H = 3, 11, 4, 5


def loss_of(graph, remat, reverse):
    def loss(params, x, carry):
        layer = snn.RNN(nnx.merge(graph, params), remat=remat, reverse=reverse, weight_dropout=0.3, return_carry=True)
        resets = jnp.zeros((B, T), bool).at[1, 6].set(True)
        last, outputs = layer(x, initial_carry=carry, lengths=jnp.array([11, 2, 7]), resets=resets, key=jax.random.key(0))
        return jnp.sum(jnp.sin(outputs)) + sum(jnp.sum(jnp.cos(leaf)) for leaf in jax.tree.leaves(last))

    return jax.jit(jax.value_and_grad(loss, argnums=(0, 1, 2)))


@pytest.mark.parametrize(("remat", "reverse"), [
    (4, True), (1, False), *(pytest.param(*case, marks=pytest.mark.slow) for case in [(4, False), (10, True)]),
])  # fmt: skip
@pytest.mark.parametrize("case", CORE, ids=CORE_IDS)
def test_values_and_gradients_stay(case, remat, reverse):
    cell = case.build(F, H, rngs=nnx.Rngs(3), **case.options)
    graph, params = nnx.split(cell)
    x = jnp.asarray(np.random.default_rng(0).normal(size=(B, T, F)), jnp.float32)
    carry = jax.tree.map(lambda leaf: leaf + 0.5, cell.initialize_carry((B, F)))
    assert_close(loss_of(graph, remat, reverse)(params, x, carry), loss_of(graph, 0, reverse)(params, x, carry))


@pytest.mark.parametrize("backend", ["scan", "auto"])
def test_ten_thousand_steps_need_little_memory(backend):
    def megabytes(remat):
        graph, params = nnx.split(snn.LSTMCell(8, 64, rngs=nnx.Rngs(0)))

        def loss(params, x):
            return jnp.sum(snn.RNN(nnx.merge(graph, params), remat=remat, backend=backend)(x) ** 2)

        compiled = jax.jit(jax.grad(loss)).lower(params, jax.ShapeDtypeStruct((4, 10_000, 8), jnp.float32)).compile()
        return compiled.memory_analysis().temp_size_in_bytes / 2**20

    outputs = 4 * 10_000 * 64 * 4 / 2**20
    assert megabytes(100) < 4 * outputs < megabytes(0) / 1.5


def test_remat_needs_a_cell_of_ours_and_a_number_of_steps():
    with pytest.raises(UserError, match="remat needs a seqnets cell with its own step, not GRUCell"):
        snn.RNN(nnx.GRUCell(3, 5, rngs=nnx.Rngs(0)), remat=4)
    with pytest.raises(UserError, match="remat must be a number of steps"):
        snn.RNN(snn.GRUCell(3, 5, rngs=nnx.Rngs(0)), remat=-4)
