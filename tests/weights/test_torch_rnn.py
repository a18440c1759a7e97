"""Torch's recurrent layers with the same weights, in both directions."""

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import seqnets.nn as snn
from numerics import assert_close
from seqnets.errors import UserError
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
    outputs, last = rnn_from_torch(module.state_dict())(jnp.asarray(X), return_carry=True)
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


def test_a_misfit_is_refused_whole_and_told_in_full():
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
    with pytest.raises(UserError, match="no torch recurrent layer here"):
        rnn_from_torch({"conv1.weight": np.zeros((3, 3))})
