"""What a layer reads beyond its inputs: carries of another form, steps of another class, keys that a cell draws."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from numerics import assert_close
from seqnets import nn
from seqnets.errors import UserError
from seqnets.nn.attention import ATTENTIONS
from seqnets.nn.cells import CELLS
from seqnets.nn.initializers import gate_blocks, recurrent_kernel
from seqnets.ops.masking import without_padding
from seqnets.ops.recurrent import LSTMState

BACKENDS = ("auto", "reference", "scan")
LENGTHS = jnp.array([4, 0, 2])


def normal(*shape: int) -> np.ndarray:
    return np.random.default_rng(len(shape)).standard_normal(shape, np.float32)


def padded_with(filling: float) -> jax.Array:
    return jnp.where(jnp.isnan(without_padding(jnp.full((3, 4, 3), jnp.nan), LENGTHS)), normal(3, 4, 3), filling)


def bidirectional(cell, **options):
    rngs = nnx.Rngs(0)
    return nn.BidirectionalRNN(
        nn.RNN(cell(3, 3, rngs=rngs), **options), nn.RNN(cell(3, 3, rngs=rngs), reverse=True, **options), merge="sum"
    )


LAYERS = {
    **{f"{name}-{backend}": partial(lambda cell, backend: nn.RNN(cell(3, 3, rngs=nnx.Rngs(0)), backend=backend), cell, backend)
       for name, cell in CELLS.items() for backend in BACKENDS},
    "norm": lambda: nn.RNN(nn.LSTMCell(3, 3, layer_norm=True, rngs=nnx.Rngs(0))),
    "remat": lambda: nn.RNN(nn.GRUCell(3, 3, rngs=nnx.Rngs(0)), remat=2),
    "flax": lambda: nn.RNN(nnx.GRUCell(3, 3, rngs=nnx.Rngs(0))),
    "bidirectional": lambda: bidirectional(nn.GRUCell),
    "stack": lambda: nn.StackedRNN([nn.RNN(nn.LSTMCell(3, 3, rngs=nnx.Rngs(1))), bidirectional(nn.MinGRUCell)], residual=True),
}  # fmt: skip


@pytest.mark.parametrize("name", LAYERS)
def test_nan_beyond_the_lengths_reaches_neither_outputs_nor_gradients(name):
    graph, parameters = nnx.split(LAYERS[name]())

    @jax.jit
    def gradients(parameters, x):
        def loss(parameters, x):
            outputs = nnx.merge(graph, parameters)(x, lengths=LENGTHS)
            return (outputs**2).sum(), outputs

        return jax.grad(loss, (0, 1), has_aux=True)(parameters, x)

    found, expected = [gradients(parameters, padded_with(filling)) for filling in (np.nan, 0.0)]
    assert all(np.array_equal(a, b) for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True))
    assert np.isfinite(jax.tree.leaves(expected)[0]).all()


@pytest.mark.parametrize("name", ATTENTIONS)
def test_attention_sees_no_nan_at_hidden_locations(name):
    graph, parameters = nnx.split(ATTENTIONS[name](3, 3, features=2, rngs=nnx.Rngs(0)))
    mask = jnp.array([[True, True, False, True], [False] * 4, [True] * 4])

    def loss(parameters, annotations):
        attend = nnx.merge(graph, parameters)
        context, weights = attend(normal(3, 3), attend.project(annotations, mask), annotations, mask)
        return (context**2).sum() + (weights**2).sum()

    found, expected = [
        jax.value_and_grad(loss, (0, 1))(parameters, jnp.where(mask[..., None], normal(3, 4, 3), filling))
        for filling in (np.nan, 0.0)
    ]
    assert_close(found, expected)


def test_pools_see_no_nan_beyond_the_lengths():
    from seqnets.models.sequence.pooling import POOLS

    for make in POOLS.values():
        graph, parameters = nnx.split(make(3, nnx.Rngs(0)))

        def loss(parameters, outputs, graph=graph):
            return (nnx.merge(graph, parameters)(outputs, jnp.zeros((3, 3)), LENGTHS) ** 2).sum()

        found, expected = [jax.value_and_grad(loss, (0, 1))(parameters, padded_with(filling)) for filling in (np.nan, 0.0)]
        assert_close(found, expected)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", CELLS)
def test_a_carry_of_nan_that_is_reset_at_once_leaves_nothing(name, backend):
    layer = nn.RNN(CELLS[name](3, 3, rngs=nnx.Rngs(0)), backend=backend, return_carry=True)
    graph, parameters = nnx.split(layer)
    carry, resets = layer.cell.initialize_carry((2, 3)), jnp.array([[True, False, False], [False, True, False]])

    @jax.jit
    def gradients(parameters, carry, x):
        def loss(parameters, carry, x):
            last, outputs = nnx.merge(graph, parameters)(x, initial_carry=carry, resets=resets)
            return (jnp.where(resets.any(0), outputs, 0)[:, 1:] ** 2).sum() + sum(map(jnp.sum, jax.tree.leaves(last))), outputs

        return jax.grad(loss, (0, 1, 2), has_aux=True)(parameters, carry, x)

    first = jnp.array([True, False])[:, None]  # the row that is reset before the first step
    lost = jax.tree.map(lambda leaf: jnp.where(first, jnp.nan, leaf), carry)
    found, expected = [gradients(parameters, state, normal(2, 3, 3)) for state in (lost, carry)]
    assert_close(found, expected)


@pytest.mark.parametrize("name", CELLS)
def test_no_steps_change_nothing(name):
    layer = nn.RNN(CELLS[name](3, 5, rngs=nnx.Rngs(0)), return_carry=True)
    state = jax.tree.map(lambda leaf: leaf + 0.5, layer.cell.initialize_carry((2, 3)))
    for lengths in (None, jnp.zeros(2, int)):
        last, outputs = layer(jnp.zeros((2, 0, 3)), initial_carry=state, lengths=lengths)
        assert outputs.shape == (2, 0, 5)
        assert_close(last, state)
    gradient = jax.grad(lambda state: sum(map(jnp.sum, jax.tree.leaves(layer(jnp.zeros((2, 0, 3)), initial_carry=state)[0]))))
    assert all((leaf == 1).all() for leaf in jax.tree.leaves(gradient(state)))


@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        ("lstm", jnp.bfloat16),
        ("minlstm", jnp.bfloat16),
        ("lstm", jnp.float16),
        *(pytest.param(name, jnp.bfloat16, marks=pytest.mark.slow) for name in CELLS if name not in ("lstm", "minlstm")),
    ],
)
def test_weights_of_sixteen_bits(name, dtype):
    half, whole = [nn.RNN(CELLS[name](3, 4, param_dtype=d, rngs=nnx.Rngs(0))) for d in (dtype, jnp.float32)]
    for a, b in zip(jax.tree.leaves(nnx.state(half)), jax.tree.leaves(nnx.state(whole)), strict=True):
        assert a.dtype == dtype
        assert_close(a, b, "bfloat16")
    outputs = half(jnp.asarray(normal(2, 3, 3), dtype))
    assert outputs.dtype == dtype
    assert_close(outputs, whole(normal(2, 3, 3)), "bfloat16")
    graph, parameters = nnx.split(half)
    loss = jax.jit(lambda p: nnx.merge(graph, p)(jnp.asarray(normal(2, 3, 3), dtype)).astype(jnp.float32).sum())
    slope = jax.grad(loss)(parameters)
    assert all(np.isfinite(np.asarray(leaf, np.float32)).all() for leaf in jax.tree.leaves(slope))


def test_initializers_round_what_they_draw():
    for initializer in (recurrent_kernel, gate_blocks(jax.nn.initializers.orthogonal(), 4)):
        half, whole = [initializer(jax.random.key(0), (4, 8), dtype) for dtype in (jnp.bfloat16, jnp.float32)]
        assert (half == whole.astype(jnp.bfloat16)).all()


class DoubledOutput(nn.GRUCell):
    def __call__(self, carry, inputs):
        carry, output = super().__call__(carry, inputs)
        return carry, 2 * output


class DoubledStep(nn.LSTMCell):
    def step(self, carry, projected):
        carry, output = super().step(carry, projected)
        return carry, 2 * output


class DoubledProjection(nn.GRUCell):
    def project(self, x):
        return 2 * super().project(x)


def by_hand(cell, x, carry=None):
    carry, outputs = cell.initialize_carry(x[:, 0].shape) if carry is None else carry, []
    for t in range(x.shape[1]):
        carry, output = cell(carry, x[:, t])
        outputs.append(output)
    return carry, jnp.stack(outputs, 1)


@pytest.mark.parametrize("cell", [DoubledOutput, DoubledStep, DoubledProjection])
def test_what_a_subclass_does_counts(cell):
    cell, x = cell(3, 4, rngs=nnx.Rngs(0)), normal(2, 5, 3)
    assert_close(nn.RNN(cell, return_carry=True)(x), by_hand(cell, x))
    stack = nn.StackedRNN([nn.RNN(nn.GRUCell(3, 3, rngs=nnx.Rngs(1))), nn.RNN(cell)])
    assert_close(stack(x), by_hand(cell, by_hand(stack.layers[0].cell, x)[1])[1])
    assert stack.pack() is None


def test_a_step_of_its_own_refuses_what_it_cannot_have():
    cell = DoubledOutput(3, 4, rngs=nnx.Rngs(0))
    with pytest.raises(UserError, match="weight_dropout needs a seqnets cell with its own step, not DoubledOutput"):
        nn.RNN(cell, weight_dropout=0.1)
    with pytest.raises(UserError, match="zoneout needs"):
        nn.RNN(DoubledOutput(3, 4, zoneout=0.1, rngs=nnx.Rngs(0)))
    with pytest.raises(UserError, match="give raw inputs"):
        nn.RNN(cell)(jnp.zeros((2, 5, 12)), projected=True)
    with pytest.raises(UserError, match="call the stack with one step"):
        nn.StackedRNN([nn.RNN(cell)]).stepper()


@pytest.mark.parametrize("options", [{}, {"layer_norm": True}, {"zoneout": 0.2}])
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_pair_is_an_lstms_carry(backend, options):
    cell, x = nn.LSTMCell(3, 4, rngs=nnx.Rngs(0), **options), normal(2, 5, 3)
    pair = (normal(2, 4) / 2, normal(2, 4))
    layer = nn.RNN(cell, backend=backend, return_carry=True)
    found = layer(x, initial_carry=pair)
    assert_close(found, layer(x, initial_carry=LSTMState(*pair)))
    assert_close(found, by_hand(cell, x, pair))
    assert_close(nn.StackedRNN([layer])(x, initial_carry=[pair]), found[1])


class Forgetful(nnx.RNNCellBase):
    """A cell of Flax that drops parts of its state, with a key of its own at every step."""

    def __init__(self, *, rngs):
        self.cell = nnx.OptimizedLSTMCell(3, 4, rngs=rngs)
        self.drop = nnx.Dropout(0.5, rngs=rngs)

    def __call__(self, carry, inputs):
        (c, h), output = self.cell(carry, inputs)
        return (c, self.drop(h)), output

    def initialize_carry(self, input_shape, rngs=None, carry_init=None):
        return self.cell.initialize_carry(input_shape, rngs=rngs)

    @property
    def num_feature_axes(self):
        return 1


def test_a_cell_that_draws_keys_draws_one_a_step():
    x = normal(2, 5, 3)
    ours, theirs = [Forgetful(rngs=nnx.Rngs(0, dropout=1)) for _ in range(2)]
    layer, zeros = nn.RNN(ours, return_carry=True), (jnp.zeros((2, 4)),) * 2
    first, second = layer(x), layer(x)
    assert_close(first, by_hand(theirs, x, zeros))
    assert_close(second, by_hand(theirs, x, zeros))  # the keys go on where they were
    assert np.abs(first[1] - second[1]).max() > 0.01
    assert_close(nnx.jit(lambda layer, x: layer(x))(layer, x), by_hand(theirs, x, zeros))
