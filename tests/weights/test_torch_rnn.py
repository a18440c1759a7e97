"""Torch's recurrent layers with the same weights, in both directions."""

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import seqnets.nn as snn
from numerics import assert_close
from seqnets.errors import UserError
from seqnets.weights.cudnn import cudnn_weights, load_cudnn_weights
from seqnets.weights.torch_rnn import load_torch_rnn, rnn_from_torch, torch_rnn_state_dict

torch = pytest.importorskip("torch", reason="the torch oracle is an extra: pip install '.[torch]'")

KINDS = {"vanilla": torch.nn.RNN, "lstm": torch.nn.LSTM, "gru": torch.nn.GRU}
X = np.random.default_rng(0).normal(size=(3, 7, 4)).astype(np.float32)


def run_torch(module):
    with torch.no_grad():
        outputs, last = module(torch.from_numpy(X))
    return outputs.numpy(), last


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_import_gives_torchs_outputs(kind, layers, bidirectional):
    torch.manual_seed(0)
    module = KINDS[kind](4, 5, layers, batch_first=True, bidirectional=bidirectional)
    last, outputs = rnn_from_torch(module.state_dict())(jnp.asarray(X), return_carry=True)
    expected, expected_last = run_torch(module)
    assert_close(outputs, expected)
    flat = [part for entry in last for part in (entry if bidirectional else (entry,))]
    if kind == "lstm":
        assert_close(np.stack([s.cell for s in flat]), expected_last[1].numpy())
        flat, expected_last = [s.hidden for s in flat], expected_last[0]
    assert_close(np.stack(flat), expected_last.numpy())


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_export_loads_strictly_and_gives_our_outputs(kind, bidirectional):
    rngs = nnx.Rngs(0)

    def layer(features):
        parts = [snn.RNN(snn.CELLS[kind](features, 5, rngs=rngs), reverse=reverse) for reverse in (False, True)]
        return snn.BidirectionalRNN(*parts) if bidirectional else parts[0]

    stack = snn.StackedRNN([layer(4), layer(10 if bidirectional else 5)])
    module = KINDS[kind](4, 5, 2, batch_first=True, bidirectional=bidirectional)
    module.load_state_dict({k: torch.from_numpy(v.copy()) for k, v in torch_rnn_state_dict(stack).items()}, strict=True)
    assert_close(stack(jnp.asarray(X)), run_torch(module)[0])


def test_round_trip_and_prefix():
    module = torch.nn.GRU(4, 5, 2)
    state = {f"encoder.rnn.{k}": v for k, v in module.state_dict().items()} | {"head.weight": torch.zeros(2)}
    again = torch_rnn_state_dict(rnn_from_torch(state, prefix="encoder.rnn."))
    for name in ("weight_ih_l0", "weight_hh_l1"):
        np.testing.assert_array_equal(again[name], module.state_dict()[name].numpy())


def test_relu_and_missing_biases():
    module = torch.nn.RNN(4, 5, batch_first=True, nonlinearity="relu", bias=False)
    assert_close(rnn_from_torch(module.state_dict(), activation="relu")(jnp.asarray(X)), run_torch(module)[0])


def test_a_misfit_is_refused_whole_and_reported_in_full():
    cell = snn.LSTMCell(4, 5, rngs=nnx.Rngs(0))
    before = np.asarray(cell.kernel[...])
    state = dict(torch.nn.LSTM(3, 5, 2).state_dict())
    with pytest.raises(UserError) as caught:
        load_torch_rnn(cell, state)
    assert "shape of weight_ih_l0: the layer has (20, 4), the weights (20, 3)" in str(caught.value)
    assert "unexpected: weight_hh_l1 (20, 5)" in str(caught.value)
    np.testing.assert_array_equal(before, cell.kernel[...])


def test_cells_that_torch_lacks_are_named():
    with pytest.raises(UserError, match="torch has no counterpart of HighwayCell"):
        torch_rnn_state_dict(snn.HighwayCell(3, 5, rngs=nnx.Rngs(0)))
    with pytest.raises(UserError, match="reset='before'"):
        torch_rnn_state_dict(snn.GRUCell(3, 5, reset="before", rngs=nnx.Rngs(0)))
    with pytest.raises(UserError, match="LSTMCell with layer norm"):
        torch_rnn_state_dict(snn.LSTMCell(3, 5, layer_norm=True, rngs=nnx.Rngs(0)))


def test_other_names_are_refused():
    with pytest.raises(UserError, match="not the weights of a torch recurrent layer"):
        rnn_from_torch({"conv1.weight": np.zeros((3, 3))})


@pytest.mark.parametrize("kind", ["vanilla", "lstm", "gru"])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_every_precision_and_parameters_are_taken(kind, dtype):
    module = KINDS[kind](4, 5, bidirectional=True, batch_first=True).to(dtype)
    rounded = KINDS[kind](4, 5, bidirectional=True, batch_first=True)
    rounded.load_state_dict({name: tensor.float() for name, tensor in module.state_dict().items()})
    for state in (module.state_dict(), dict(module.named_parameters())):
        assert_close(rnn_from_torch(state)(jnp.asarray(X)), run_torch(rounded)[0])


@pytest.mark.parametrize(
    ("kind", "cell"), [("vanilla", torch.nn.RNNCell), ("lstm", torch.nn.LSTMCell), ("gru", torch.nn.GRUCell)]
)
def test_the_names_of_torchs_cells_are_known(kind, cell):
    module, ours = cell(4, 5), snn.CELLS[kind](4, 5, rngs=nnx.Rngs(0))
    load_torch_rnn(ours, {f"dec.{name}": value for name, value in module.named_parameters()}, prefix="dec.")
    found = module(torch.from_numpy(X[:, 0]))
    expected = (found[0] if kind == "lstm" else found).detach().numpy()
    assert_close(snn.RNN(ours)(jnp.asarray(X[:, :1]))[:, 0], expected)
    assert_close(rnn_from_torch(module.state_dict())(jnp.asarray(X[:, :1]))[:, 0], expected)


def test_what_is_no_recurrent_layer_of_ours_is_said_plainly():
    lstm = torch.nn.LSTM(4, 5)
    wrapped = {f"_orig_mod.rnn.{name}": value for name, value in lstm.state_dict().items()}
    for call, message in [
        (lambda: rnn_from_torch(torch.nn.LSTM(4, 5, proj_size=2).state_dict()), r"LSTM with projections \(proj_size\)"),
        (lambda: rnn_from_torch(wrapped, prefix="enc."), r"no name begins with 'enc.'; there are _orig_mod.rnn.weight_ih_l0, "),
        (lambda: rnn_from_torch(wrapped), r"found _orig_mod.rnn.weight_ih_l0, .*; pass prefix='_orig_mod.rnn.'"),
        (lambda: rnn_from_torch(lstm), r"not a LSTM"),
        (lambda: rnn_from_torch({}), "found none; "),
        (lambda: rnn_from_torch({"weight_ih_l0": "text", "weight_hh_l0": None}), "'weight_ih_l0' must be an array of numbers"),
        (lambda: rnn_from_torch({"weight_ih_l0": [[1], [1, 2]], "weight_hh_l0": 3}), "'weight_ih_l0' cannot be read as an array"),
        (lambda: rnn_from_torch({"weight_ih_l0": np.zeros(3), "weight_hh_l0": np.zeros((4, 1))}), "must be a matrix"),
        (lambda: load_torch_rnn(snn.MinGRUCell(4, 5, rngs=nnx.Rngs(0)), lstm.state_dict()), "counterpart of MinGRUCell;"),
        (lambda: torch_rnn_state_dict(snn.MinLSTMCell(4, 5, rngs=nnx.Rngs(0))), "counterpart of MinLSTMCell;"),
        (lambda: torch_rnn_state_dict(snn.HighwayCell(4, 5, rngs=nnx.Rngs(0))), "counterpart of HighwayCell;"),
    ]:  # fmt: skip
        with pytest.raises(UserError, match=message):
            call()


def test_cudnns_flat_weights_may_be_a_tensor():
    one, other = (snn.LSTMCell(4, 5, rngs=nnx.Rngs(seed)) for seed in (0, 1))
    load_cudnn_weights(one, torch.nn.Parameter(torch.from_numpy(cudnn_weights(other))))
    np.testing.assert_array_equal(one.kernel[...], other.kernel[...])
    with pytest.raises(UserError, match="'flat' must be an array of numbers"):
        load_cudnn_weights(one, "weights")
