"""sn.nn.RNN and BidirectionalRNN in the place of nnx.RNN and nnx.Bidirectional: the same keywords, numbers and results."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import seqnets.nn as snn
from numerics import assert_close
from seqnets.errors import UserError
from seqnets.nn.cells.base import CellOptions, is_as_stated


def slow(value):
    return pytest.param(value, marks=pytest.mark.slow)


B, T, F, H = 3, 6, 4, 5
LENGTHS = jnp.array([6, 1, 4])
CELLS = {
    "nnx.LSTMCell": nnx.LSTMCell,
    "nnx.OptimizedLSTMCell": nnx.OptimizedLSTMCell,
    "nnx.GRUCell": nnx.GRUCell,
    "nnx.SimpleCell": nnx.SimpleCell,
    "LSTMCell": snn.LSTMCell,
    "GRUCell": snn.GRUCell,
}


def normal(*shape):
    return jnp.asarray(np.random.default_rng(len(shape)).standard_normal(shape, np.float32))


def counted(outputs, lengths, time_major):
    """Keep what lies within the lengths: beyond them Flax puts out what it makes of padding, and we put out zeros."""
    if lengths is None:
        return outputs
    inside = jnp.arange(T)[None, :] < lengths[:, None]
    return jnp.where((inside.T if time_major else inside)[..., None], outputs, 0)


CALLS = [  # every pair of values of every two
    dict(zip(("reverse", "keep_order", "time_major", "lengths", "carry"), map(bool, values), strict=True))
    for values in (
        (0, 0, 0, 0, 0),
        (1, 0, 1, 1, 0),
        (1, 1, 0, 1, 1),
        (0, 1, 1, 0, 1),
        (0, 0, 1, 1, 1),
        (1, 0, 0, 0, 1),
        (1, 1, 1, 0, 0),
    )
]


@pytest.mark.parametrize("name", ["nnx.GRUCell", "LSTMCell"])
@pytest.mark.parametrize("where", ["construction", "call"])
def test_every_combination_of_keywords_is_that_of_flax(name, where):
    cell = CELLS[name](F, H, rngs=nnx.Rngs(0))
    for options in CALLS:
        settings = {key: options[key] for key in ("reverse", "keep_order", "time_major")}
        built, called = (settings, {}) if where == "construction" else ({}, settings)
        lengths = LENGTHS if options["lengths"] else None
        start = jax.tree.map(lambda leaf: leaf + 0.5, cell.initialize_carry((B, F), nnx.Rngs(0))) if options["carry"] else None
        x = normal(T, B, F) if options["time_major"] else normal(B, T, F)
        found, wanted = [
            layer(cell, return_carry=True, **built)(x, initial_carry=start, seq_lengths=lengths, **called)
            for layer in (snn.RNN, nnx.RNN)
        ]
        assert_close(jax.tree.leaves(found[0]), jax.tree.leaves(wanted[0]))
        assert_close(found[1], counted(wanted[1], lengths, options["time_major"]))


@pytest.mark.parametrize("name", [name if name in ("nnx.LSTMCell", "nnx.GRUCell", "LSTMCell") else slow(name) for name in CELLS])
@pytest.mark.parametrize("batch", [(), (3,), (2, 3)], ids=str)
@pytest.mark.parametrize("settings", [{}, slow({"reverse": True}), slow({"time_major": True})], ids=str)
def test_any_number_of_batch_axes(name, batch, settings):
    cell = CELLS[name](F, H, rngs=nnx.Rngs(0))
    x = normal(T, *batch, F) if "time_major" in settings else normal(*batch, T, F)
    found, wanted = [layer(cell, return_carry=True, **settings)(x) for layer in (snn.RNN, nnx.RNN)]
    assert_close(jax.tree.leaves(found), jax.tree.leaves(wanted))
    again, more = [layer(cell, **settings)(x, initial_carry=wanted[0]) for layer in (snn.RNN, nnx.RNN)]
    assert_close(again, more)


@pytest.mark.parametrize("cell", [snn.LSTMCell, nnx.GRUCell])
@pytest.mark.parametrize("settings", [{}, {"reverse": True}, {"time_major": True}], ids=str)
def test_masks_have_the_batch_axes_of_the_inputs(cell, settings):
    layer = snn.RNN(cell(F, H, rngs=nnx.Rngs(0)), return_carry=True, **settings)
    mask, lengths = np.random.default_rng(0).random((6, T)) < 0.7, jnp.array([6, 0, 3, 1, 5, 6])
    resets, x = np.random.default_rng(1).random((6, T)) < 0.2, normal(6, T, F)
    for given in ({"seq_lengths": lengths}, {"mask": mask}, {"resets": resets}, {"mask": mask, "lengths": lengths}):
        major = "time_major" in settings

        def shaped(a, major=major):
            several = a.reshape(2, 3, *a.shape[1:])
            return jnp.moveaxis(several, 2, 0) if major and a.ndim > 1 else several

        flat = {name: a.T if major and a.ndim > 1 else a for name, a in given.items()}
        wanted = layer(jnp.swapaxes(x, 0, 1) if major else x, **flat)
        found = layer(shaped(x), **{name: shaped(a) for name, a in given.items()})
        assert_close([leaf.reshape(other.shape) for leaf, other in zip(*map(jax.tree.leaves, (found, wanted)), strict=True)],
                     jax.tree.leaves(wanted))  # fmt: skip
        alone = layer(x[2], **{name: a[2] for name, a in given.items()})
        row = jax.tree.map(lambda leaf: leaf[2], wanted[0])
        assert_close(jax.tree.leaves(alone), [*jax.tree.leaves(row), wanted[1][:, 2] if major else wanted[1][2]])


@pytest.mark.parametrize("ours", ["both", "layers", "wrapper"])
@pytest.mark.parametrize("name", ["nnx.GRUCell", "LSTMCell"])
def test_bidirectional_is_that_of_flax(name, ours):
    cells = [CELLS[name](F, H, rngs=nnx.Rngs(seed)) for seed in (0, 1)]
    wrapper = nnx.Bidirectional if ours == "layers" else snn.BidirectionalRNN
    layer = nnx.RNN if ours == "wrapper" else snn.RNN
    for time_major, with_lengths, with_carry, built in (
        (False, True, False, False),
        (True, True, True, True),
        (True, False, True, False),
    ):
        x = normal(T, B, F) if time_major else normal(B, T, F)
        lengths = LENGTHS if with_lengths else None
        carries = tuple(jax.tree.map(lambda leaf: leaf + 0.5, cell.initialize_carry((B, F), nnx.Rngs(0))) for cell in cells)
        settings, call = ({"time_major": time_major}, {}) if built else ({}, {"time_major": time_major})
        call |= {"initial_carry": carries if with_carry else None, "seq_lengths": lengths}
        wanted = nnx.Bidirectional(*map(nnx.RNN, cells), return_carry=True, **settings)(x, **call)
        found = wrapper(*map(layer, cells), return_carry=True, **settings)(x, **call)
        assert_close(jax.tree.leaves(found[0]), jax.tree.leaves(wanted[0]))
        assert_close(counted(found[1], lengths, time_major), counted(wanted[1], lengths, time_major))


@pytest.mark.parametrize("merge_fn", [None, jnp.add, lambda a, b: a - b])
def test_merge_fn_is_that_of_flax(merge_fn):
    cells = [snn.GRUCell(F, H, rngs=nnx.Rngs(seed)) for seed in (0, 1)]
    given = {} if merge_fn is None else {"merge_fn": merge_fn}
    found = snn.BidirectionalRNN(forward_rnn=snn.RNN(cells[0]), backward_rnn=snn.RNN(cells[1]), **given)(normal(B, T, F))
    wanted = nnx.Bidirectional(forward_rnn=nnx.RNN(cells[0]), backward_rnn=nnx.RNN(cells[1]), **given)(normal(B, T, F))
    assert_close(found, wanted)


@pytest.mark.parametrize("merge", ["concat", "sum", "mul", "ave", None])
def test_merges_are_those_of_keras(merge):
    layers = [snn.RNN(snn.GRUCell(F, H, rngs=nnx.Rngs(seed))) for seed in (0, 1)]
    x = normal(B, T, F)
    ahead, back = layers[0](x), layers[1](x, reverse=True, keep_order=True)
    expected = {"concat": jnp.concatenate([ahead, back], -1), "sum": ahead + back, "mul": ahead * back, "ave": (ahead + back) / 2}
    assert_close(snn.BidirectionalRNN(*layers, merge=merge)(x), expected.get(merge, (ahead, back)))


@pytest.mark.parametrize(("ours", "theirs"), [(snn.RNN, nnx.RNN), (snn.BidirectionalRNN, nnx.Bidirectional)])
def test_every_keyword_of_flax_is_there(ours, theirs):
    for method in ("__init__", "__call__"):
        has, wanted = (inspect.signature(getattr(kind, method)).parameters for kind in (ours, theirs))
        assert not wanted.keys() - has.keys()
        for name, parameter in wanted.items():
            assert has[name].kind == parameter.kind
            if name != "merge_fn":  # None is Flax's default, the concatenation
                assert has[name].default in (parameter.default, None)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [(snn.LSTMCell, nnx.LSTMCell), (snn.LSTMCell, nnx.OptimizedLSTMCell), (snn.GRUCell, nnx.GRUCell),
     (snn.VanillaCell, nnx.SimpleCell)],
)  # fmt: skip
def test_every_keyword_of_flax_cells_is_there(ours, theirs):
    wanted = inspect.signature(theirs.__init__).parameters.keys() - {"keep_rngs", "residual"}  # deprecated; SimpleCell's alone
    assert not wanted - (inspect.signature(ours.__init__).parameters.keys() | CellOptions.__annotations__.keys())


def in_half(arrays, dtype=None):
    assert dtype == jnp.float16  # what the cell was given
    return tuple(array if array is None else array.astype(jnp.bfloat16) for array in arrays)


@pytest.mark.parametrize(("cell", "options"), [(snn.LSTMCell, {}), (snn.GRUCell, {}), (snn.GRUCell, {"use_bias": False})])
def test_promote_dtype_is_that_of_flax(cell, options):
    ours = cell(F, H, promote_dtype=in_half, dtype=jnp.float16, rngs=nnx.Rngs(0), **options)
    theirs = flax_of(cell(F, H, rngs=nnx.Rngs(0)), promote_dtype=in_half, dtype=jnp.float16)
    for rnn in (snn.RNN, nnx.RNN):
        found, wanted = rnn(ours, return_carry=True)(normal(B, T, F)), nnx.RNN(theirs, return_carry=True)(normal(B, T, F))
        assert [leaf.dtype for leaf in jax.tree.leaves(found)] == [leaf.dtype for leaf in jax.tree.leaves(wanted)]
        assert_close(jax.tree.leaves(found), jax.tree.leaves(wanted), "bfloat16")  # the LSTM of Flax adds its bias elsewhere
    assert np.abs(found[1] - snn.RNN(cell(F, H, rngs=nnx.Rngs(0)))(normal(B, T, F))).max() > 1e-4


def test_promote_dtype_of_flax_itself_costs_no_speed():
    default = inspect.signature(nnx.GRUCell.__init__).parameters["promote_dtype"].default
    assert is_as_stated(snn.GRUCell(F, H, promote_dtype=default, rngs=nnx.Rngs(0)))
    assert not is_as_stated(snn.GRUCell(F, H, promote_dtype=in_half, rngs=nnx.Rngs(0)))
    for options in ({"layer_norm": True}, {"zoneout": 0.1}):
        with pytest.raises(UserError, match="takes no promote_dtype"):
            snn.GRUCell(F, H, promote_dtype=in_half, rngs=nnx.Rngs(0), **options)


@pytest.mark.parametrize("name", snn.CELLS)
def test_metadata_goes_to_the_parameters(name):
    names = {"kernel_metadata": {"a": 1}, "recurrent_kernel_metadata": {"b": 2}, "bias_metadata": {"c": 3}}
    cell = snn.CELLS[name](F, H, rngs=nnx.Rngs(0), **names)
    theirs = nnx.GRUCell(F, H, rngs=nnx.Rngs(0), **names)
    assert cell.kernel.get_metadata()["a"] == theirs.dense_i.kernel.get_metadata()["a"] == 1
    assert cell.bias.get_metadata()["c"] == theirs.dense_i.bias.get_metadata()["c"] == 3
    if hasattr(cell, "recurrent_kernel"):
        assert cell.recurrent_kernel.get_metadata()["b"] == theirs.dense_h.kernel.get_metadata()["b"] == 2


class Drops(nnx.RNNCellBase):
    """A cell that drops parts of its state, with a key of its own at every step, or one for all."""

    def __init__(self, *, rngs):
        self.cell = nnx.GRUCell(F, H, rngs=rngs)
        self.drop = nnx.Dropout(0.5, rngs=rngs, rng_collection="recurrent_dropout")

    def __call__(self, carry, inputs):
        after, output = self.cell(self.drop(carry), inputs)
        return after, output

    def initialize_carry(self, input_shape, rngs=None, carry_init=None):
        return self.cell.initialize_carry(input_shape, rngs)

    @property
    def num_feature_axes(self):
        return 1


@pytest.mark.parametrize("settings", [{}, {"broadcast_rngs": "recurrent_dropout"}, {"unroll": 2}, {"reverse": True}], ids=str)
@pytest.mark.parametrize("lengths", [None, slow(LENGTHS)], ids=["whole", "lengths"])
def test_cells_that_draw_keys_draw_those_of_flax(settings, lengths):
    layers = [kind(Drops(rngs=nnx.Rngs(0, recurrent_dropout=1)), **settings) for kind in (snn.RNN, nnx.RNN)]
    for _ in range(2):  # the second call goes on from the first
        found, wanted = [layer(normal(B, T, F), seq_lengths=lengths, return_carry=True) for layer in layers]
        assert_close(found, (wanted[0], counted(wanted[1], lengths, False)))


class Counts(nnx.Module):
    """A cell that counts its steps, and has a weight of its own for each; not even an nnx.RNNCellBase."""

    def __init__(self):
        self.scale = nnx.Param(jnp.arange(1.0, T + 1))
        self.steps = nnx.BatchStat(jnp.zeros((), jnp.int32))

    def __call__(self, carry, inputs):
        self.steps[...] = self.steps[...] + 1
        carry = carry + inputs * self.scale[...]
        return carry, carry + self.steps[...]

    def initialize_carry(self, input_shape, rngs):
        return jnp.zeros(input_shape)

    @property
    def num_feature_axes(self):
        return 1


@pytest.mark.parametrize("reverse", [False, True])
def test_state_axes_are_those_of_flax(reverse):
    cells = Counts(), Counts()
    axes = nnx.StateAxes({nnx.Param: 0, ...: nnx.Carry})
    found, wanted = [
        kind(cell, state_axes=axes, reverse=reverse)(normal(B, T, F))
        for kind, cell in zip((snn.RNN, nnx.RNN), cells, strict=True)
    ]
    assert_close(found, wanted)
    assert cells[0].steps[...] == cells[1].steps[...] == T


@pytest.mark.parametrize("rngs", ["default", "construction", "call"])
@pytest.mark.parametrize("kind", ["one", "both"])
def test_random_first_carries_are_those_of_flax(rngs, kind):
    def layer(rnn, both):
        given = {"rngs": nnx.Rngs(3)} if rngs == "construction" else {}
        cells = [snn.LSTMCell(F, H, carry_init=jax.nn.initializers.normal(), rngs=nnx.Rngs(seed)) for seed in (0, 1)]
        return rnn(cells[0], **given) if kind == "one" else both(rnn(cells[0]), rnn(cells[1]), **given)

    given = {"rngs": nnx.Rngs(3)} if rngs == "call" else {}
    found = layer(snn.RNN, snn.BidirectionalRNN)(normal(B, T, F), **given)
    given = {"rngs": nnx.Rngs(3)} if rngs == "call" else {}
    assert_close(found, layer(nnx.RNN, nnx.Bidirectional)(normal(B, T, F), **given))


def test_without_a_source_a_flax_cell_says_what_it_misses():
    with pytest.raises(ValueError, match="RNGs must be provided"):
        snn.RNN(nnx.GRUCell(F, H, rngs=nnx.Rngs(0)), rngs=False)(normal(B, T, F))
    assert snn.RNN(snn.GRUCell(F, H, rngs=nnx.Rngs(0)), rngs=False)(normal(B, T, F)).shape == (B, T, H)


def flax_of(cell, **options):
    """A Flax cell with the weights of one of ours."""
    kind = {snn.LSTMCell: nnx.OptimizedLSTMCell, snn.GRUCell: nnx.GRUCell, snn.VanillaCell: nnx.SimpleCell}[type(cell)]
    other = kind(F, H, rngs=nnx.Rngs(0), **options)
    other.dense_i.kernel[...], other.dense_h.kernel[...] = cell.kernel[...], cell.recurrent_kernel[...]
    (other.dense_h if isinstance(cell, snn.LSTMCell) else other.dense_i).bias[...] = cell.bias[...]
    return other


FUNCTIONS = {"gate_fn": jax.nn.hard_sigmoid, "activation_fn": jax.nn.elu}


@pytest.mark.parametrize("backend", ["auto", slow("reference"), slow("scan")])
@pytest.mark.parametrize(
    ("cell", "options"),
    [
        (snn.LSTMCell, FUNCTIONS),
        (snn.LSTMCell, {"gate_fn": nnx.sigmoid, "activation_fn": nnx.tanh}),
        (snn.GRUCell, FUNCTIONS),
        (snn.GRUCell, {"activation_fn": jnp.sin}),
        (snn.VanillaCell, {"activation_fn": jax.nn.elu}),
    ],
)
def test_functions_of_a_cell_are_those_of_flax(cell, options, backend):
    ours = cell(F, H, bias_init=jax.nn.initializers.normal(0.5), rngs=nnx.Rngs(0), **options)
    graph, parameters = nnx.split(ours)
    theirs = flax_of(ours, **options)

    def gradients(parameters, x):
        return jax.grad(lambda p, x: (snn.RNN(nnx.merge(graph, p), backend=backend)(x) ** 2).sum(), (0, 1))(parameters, x)

    assert_close(snn.RNN(ours, backend=backend)(normal(B, T, F)), nnx.RNN(theirs)(normal(B, T, F)))
    assert_close(ours(*wanted)[1] if (wanted := (ours.initialize_carry((B, F)), normal(B, F))) else None,
                 theirs(theirs.initialize_carry((B, F), nnx.Rngs(0)), normal(B, F))[1])  # fmt: skip
    graph_of_flax, others = nnx.split(nnx.RNN(theirs))
    d_flax = jax.grad(lambda x: (nnx.merge(graph_of_flax, jax.tree.map(jnp.copy, others))(x) ** 2).sum())(normal(B, T, F))
    assert_close(gradients(parameters, normal(B, T, F))[1], d_flax)


def test_highway_and_gru_before_take_functions():
    for cell in (
        snn.HighwayCell(F, H, gate_fn=jax.nn.hard_sigmoid, activation_fn=jnp.sin, rngs=nnx.Rngs(0)),
        snn.GRUCell(F, H, reset="before", gate_fn=jax.nn.hard_sigmoid, activation_fn=jnp.sin, rngs=nnx.Rngs(0)),
    ):
        plain = type(cell)(F, H, rngs=nnx.Rngs(0), **({"reset": "before"} if isinstance(cell, snn.GRUCell) else {}))
        assert "hard_sigmoid and sin" in cell.recurrence.name
        assert np.abs(snn.RNN(cell)(normal(B, T, F)) - snn.RNN(plain)(normal(B, T, F))).max() > 0.01
        assert_close(snn.RNN(cell)(normal(B, T, F)), nnx.RNN(cell)(normal(B, T, F)))


@pytest.mark.parametrize("name", snn.CELLS)
def test_cells_without_bias_equal_those_whose_bias_is_zero(name):
    without, zeros = [
        snn.CELLS[name](F, H, rngs=nnx.Rngs(0), **options)
        for options in ({"use_bias": False}, {"bias_init": jax.nn.initializers.zeros})
    ]
    for path, param in nnx.to_flat_state(nnx.state(zeros, nnx.Param)):
        if "bias" in path[-1]:
            param[...] = jnp.zeros(param.shape)
        else:
            param[...] = dict(nnx.to_flat_state(nnx.state(without, nnx.Param)))[path][...]
    assert not any("bias" in str(path) for path, _ in nnx.to_flat_state(nnx.state(without)))
    for backend in ("auto", "reference", "scan"):
        found, wanted = [snn.RNN(cell, backend=backend, return_carry=True)(normal(B, T, F)) for cell in (without, zeros)]
        assert_close(found, wanted)
    assert_close(snn.RNN(without)(normal(B, T, F)), nnx.RNN(without)(normal(B, T, F)))


def test_a_start_of_the_bias_is_the_callers():
    ones = jax.nn.initializers.ones
    assert (snn.LSTMCell(F, H, bias_init=ones, rngs=nnx.Rngs(0)).bias[...] == 1).all()
    both = snn.LSTMCell(F, H, bias_init=ones, forget_bias=2.5, rngs=nnx.Rngs(0)).bias[...].reshape(4, H)
    assert both[:, 0].tolist() == [1, 2.5, 1, 1]
    assert snn.MinLSTMCell(F, H, bias_init=ones, forget_bias=2.5, rngs=nnx.Rngs(0)).bias[...][0] == 2.5
    assert (snn.HighwayCell(F, H, bias_init=ones, rngs=nnx.Rngs(0)).bias[...] == 1).all()


def test_carry_init_of_a_cell_and_of_a_call():
    cell = snn.LSTMCell(F, H, carry_init=jax.nn.initializers.ones, rngs=nnx.Rngs(0))
    assert all((leaf == 1).all() for leaf in cell.initialize_carry((B, F), nnx.Rngs(0)))
    assert not any(leaf.any() for leaf in cell.initialize_carry((B, F), nnx.Rngs(0), jax.nn.initializers.zeros))
    started = snn.RNN(snn.LSTMCell(F, H, rngs=nnx.Rngs(0)))(normal(B, T, F), initial_carry=(jnp.ones((B, H)),) * 2)
    assert_close(snn.RNN(cell)(normal(B, T, F)), started)


@pytest.mark.parametrize(
    "given", [{"initial_carry": jnp.zeros((3, H))}, {"lengths": LENGTHS}, {"mask": jnp.ones((3, T))}], ids=str
)
@pytest.mark.parametrize("batch", [(1, 3), (3, 1), ()], ids=str)
def test_other_batch_axes_than_those_of_the_inputs_are_refused(batch, given):
    layer = snn.RNN(snn.GRUCell(F, H, rngs=nnx.Rngs(0)))
    for whole, call in (
        (layer, given),
        (snn.StackedRNN([layer]), {n: (a,) if n == "initial_carry" else a for n, a in given.items()}),
    ):
        with pytest.raises(UserError, match="must have the"):
            whole(normal(*batch, T, F), **call)


def test_an_argument_under_two_names_is_refused():
    with pytest.raises(UserError, match="lengths and seq_lengths are the same; give one of them"):
        snn.RNN(snn.GRUCell(F, H, rngs=nnx.Rngs(0)))(normal(B, T, F), lengths=LENGTHS, seq_lengths=LENGTHS)
    with pytest.raises(TypeError, match="gate_fn"):
        snn.MinGRUCell(F, H, gate_fn=jax.nn.relu, rngs=nnx.Rngs(0))
