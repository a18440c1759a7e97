"""LSTM layers that cuDNN runs whole. Where it is missing, JAX's own definition of it stands in: the same weights, plain JAX."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax.experimental import rnn

import seqnets.nn as snn
from numerics import assert_close
from seqnets.errors import UserError
from seqnets.nn import cudnn as layers_on_cudnn
from seqnets.ops.backends import cudnn
from seqnets.ops.platform import default_platform
from seqnets.weights.cudnn import cudnn_weights, load_cudnn_weights

B, T, F, H = 3, 6, 4, 5
X = jnp.asarray(np.random.default_rng(0).normal(size=(B, T, F)), jnp.float32)
LENGTHS = jnp.array([3, 0, 9])


def lstm(features=F, hidden=H, backend="auto", reverse=False, **options):
    return snn.RNN(snn.LSTMCell(features, hidden, rngs=nnx.Rngs(0), **options), reverse=reverse, backend=backend)


def both(features=F, backend="auto"):
    return snn.BidirectionalRNN(lstm(features, backend=backend), lstm(features, backend=backend, reverse=True))


STACKS = {
    "one": lambda backend: lstm(backend=backend),
    "reverse": lambda backend: lstm(backend=backend, reverse=True),
    "bidirectional": lambda backend: both(backend=backend),
    "two": lambda backend: snn.StackedRNN([lstm(backend=backend), lstm(H, backend=backend)]),
    "two-bidirectional": lambda backend: snn.StackedRNN([both(backend=backend), both(2 * H, backend=backend)]),
}


def randomized(layer):
    """Make every weight random, so that a forgotten one shows."""
    graph, params, rest = nnx.split(layer, nnx.Param, ...)
    rng = np.random.default_rng(1)
    params = jax.tree.map(lambda leaf: jnp.asarray(rng.normal(size=leaf.shape) * 0.5, leaf.dtype), params)
    return graph, params, rest


def values_and_gradients(layer, lengths, starts):
    graph, params, rest = randomized(layer)

    def loss(params, x, starts):
        results = nnx.merge(graph, params, rest)(x, lengths=lengths, initial_carry=starts, return_carry=True)
        return sum(jnp.sum(jnp.sin(leaf + k)) for k, leaf in enumerate(jax.tree.leaves(results))), results

    (_, results), gradients = jax.jit(jax.value_and_grad(loss, argnums=(0, 1, 2), has_aux=True))(params, X, starts)
    return results, jax.tree.leaves(gradients)


def random_starts(layer):
    rng = np.random.default_rng(2)
    _, carry = jax.eval_shape(lambda: layer(X, return_carry=True))
    return jax.tree.map(lambda leaf: jnp.asarray(rng.normal(size=leaf.shape), leaf.dtype), carry)


@pytest.fixture
def by_definition(monkeypatch):
    """Put JAX's definition in cuDNN's place, and count how often it is asked."""
    asked = []

    def definition(shape, x, hidden, cell, flat, lengths):
        asked.append(shape)
        weights = rnn.unpack_lstm_weights(flat, *shape)
        return rnn.lstm_ref(x, hidden, cell, *weights, lengths, *shape[:3], 0.0, shape.bidirectional)

    monkeypatch.setattr(cudnn, "lstm", definition)
    monkeypatch.setattr(layers_on_cudnn, "_platform_refusal", lambda: None)
    return asked


@pytest.mark.parametrize(
    ("kind", "lengths"), [("one", None), ("reverse", LENGTHS), ("two", LENGTHS), ("two-bidirectional", LENGTHS)]
)
def test_a_stack_is_one_call_and_equals_the_reference(kind, lengths, by_definition):
    starts = random_starts(STACKS[kind]("reference"))
    expected = values_and_gradients(STACKS[kind]("reference"), lengths, starts)
    assert not by_definition
    assert_close(values_and_gradients(STACKS[kind]("cudnn"), lengths, starts), expected)
    assert by_definition == [(F, H, kind.count("two") + 1, "bidirectional" in kind)]


@pytest.mark.parametrize("kind", STACKS)
def test_flat_weights_go_out_and_in(kind):
    layer = STACKS[kind]("auto")
    nnx.update(layer, randomized(layer)[1])
    flat, other = cudnn_weights(layer), STACKS[kind]("auto")
    load_cudnn_weights(other, flat)
    np.testing.assert_array_equal(cudnn_weights(other), flat)
    shape = cudnn.Shape(F, H, kind.count("two") + 1, "bidirectional" in kind)
    assert flat.size == rnn.get_num_params_in_lstm(*shape)
    np.testing.assert_array_equal(cudnn.pack(cudnn.unpack(jnp.asarray(flat), shape)), flat)


def test_gates_are_in_the_order_of_jax():
    layer = lstm()
    layer.cell.bias[...] = jnp.repeat(jnp.arange(4.0), H)
    _, _, biases, _ = rnn.unpack_lstm_weights(jnp.asarray(cudnn_weights(layer)), F, H, 1, False)
    assert biases[0].reshape(4, H)[:, 0].tolist() == [0, 1, 2, 3]  # i, f, g, o


def test_weights_that_do_not_fit_are_refused():
    with pytest.raises(UserError, match=r"must have the shape \(220,\), got \(219,\)"):
        load_cudnn_weights(lstm(), np.zeros(219, np.float32))
    with pytest.raises(UserError, match="supported for LSTM layers"):
        cudnn_weights(snn.GRUCell(F, H, rngs=nnx.Rngs(0)))


@pytest.mark.parametrize(
    ("layer", "options", "message"),
    [
        (snn.RNN(snn.GRUCell(F, H, rngs=nnx.Rngs(0)), backend="cudnn"), {}, "LSTM only, and found GRUCell"),
        (lstm(backend="cudnn", layer_norm=True), {}, "no layer normalization"),
        (lstm(backend="cudnn", zoneout=0.1), {}, "no zoneout"),
        (lstm(backend="cudnn", dtype=jnp.bfloat16), {}, "float32 only, and found bfloat16"),
        (lstm(backend="cudnn"), {"resets": jnp.zeros((B, T), bool)}, "no resets"),
        (lstm(4 * H, backend="cudnn"), {"projected": True}, "takes raw inputs"),
    ],
)
def test_what_it_cannot_do_is_refused(layer, options, message):
    x = jnp.ones((B, T, 4 * H)) if "projected" in options else X
    with pytest.raises(UserError, match=f'backend "cudnn" cannot run this: .*{message}'):
        layer(x, **options)


def test_what_is_no_stack_for_it_runs_layer_by_layer(by_definition):
    jax.eval_shape(snn.StackedRNN([lstm(backend="cudnn"), lstm(H, hidden=7, backend="cudnn")]), X)
    assert [shape.hidden_features for shape in by_definition] == [H, 7]
    jax.eval_shape(snn.StackedRNN([lstm(backend="cudnn"), snn.RNN(snn.GRUCell(H, H, rngs=nnx.Rngs(0)))]), X)
    assert len(by_definition) == 3


def test_without_a_gpu_it_is_refused():
    if default_platform() == "cuda":
        pytest.skip("there is a GPU")
    with pytest.raises(UserError, match="it runs on NVIDIA GPUs only, and JAX's default is cpu"):
        lstm(backend="cudnn")(X)


@pytest.mark.parametrize("platform", ["cuda", "cpu"])
def test_what_auto_chose_on_a_gpu_is_lowered_for_either(platform, monkeypatch):
    if not cudnn.is_linked():
        pytest.skip("this jaxlib came without its plugin for NVIDIA GPUs, which lowers cuDNN's calls")
    monkeypatch.setattr(layers_on_cudnn, "_platform_refusal", lambda: None)
    if default_platform() != "cuda":  # cuDNN itself would have to be asked
        monkeypatch.setattr(rnn.gpu_rnn, "compute_rnn_workspace_reserve_space_sizes", lambda *sizes: (64, 128))
    graph, params, rest = randomized(STACKS["two-bidirectional"]("auto"))
    gradient = jax.jit(jax.grad(lambda params, x: nnx.merge(graph, params, rest)(x).sum()))
    text = gradient.trace(params, X).lower(lowering_platforms=(platform,)).as_text()
    assert ("cudnn_rnn_bwd_ffi" in text) == (platform == "cuda")


@pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["whole", "lengths"])
@pytest.mark.parametrize("kind", STACKS)
def test_on_a_gpu_it_equals_the_reference(kind, lengths):
    if default_platform() != "cuda":
        pytest.skip("no NVIDIA GPU here")
    starts = random_starts(STACKS[kind]("reference"))
    with jax.default_matmul_precision("highest"):
        found, expected = [values_and_gradients(STACKS[kind](backend), lengths, starts) for backend in ("cudnn", "reference")]
    assert_close(found, expected)
