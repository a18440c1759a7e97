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
from seqnets.models.char_lm_config import CharLMConfig
from seqnets.models.description import stated
from seqnets.nn import cudnn as wrapper
from seqnets.ops.backends.gpu import cudnn
from seqnets.ops.platform import default_platform
from seqnets.weights.cudnn import cudnn_weights, load_cudnn_weights

B, T, F, H = 3, 6, 4, 5
X = jnp.asarray(np.random.default_rng(0).normal(size=(B, T, F)), jnp.float32)
LENGTHS = jnp.array([3, 0, 9])


def lstm(features=F, hidden=H, reverse=False, **options):
    of_layer = {name: options.pop(name) for name in ("remat", "weight_dropout", "time_major", "keep_order") if name in options}
    return snn.RNN(snn.LSTMCell(features, hidden, rngs=nnx.Rngs(0), **options), reverse=reverse, **of_layer)


def both(features=F, **options):
    return snn.BidirectionalRNN(lstm(features), lstm(features, reverse=True), **options)


STACKS = {
    "one": lstm,
    "reverse": lambda: lstm(reverse=True),
    "reverse-in-order": lambda: lstm(reverse=True, keep_order=True),
    "bidirectional": both,
    "two": lambda: snn.StackedRNN([lstm(), lstm(H)]),
    "two-bidirectional": lambda: snn.StackedRNN([both(), both(2 * H)]),
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
    carry, _ = jax.eval_shape(lambda: layer(X, return_carry=True))
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
    monkeypatch.setattr(wrapper, "_call_refusal", lambda inputs: None)
    return asked


@pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["whole", "lengths"])
@pytest.mark.parametrize("kind", STACKS)
def test_a_stack_is_one_call_and_equals_the_layers(kind, lengths, by_definition):
    starts = random_starts(STACKS[kind]())
    expected = values_and_gradients(STACKS[kind](), lengths, starts)
    assert not by_definition
    assert_close(values_and_gradients(snn.CuDNN(STACKS[kind]()), lengths, starts), expected)
    assert by_definition == [(F, H, kind.count("two") + 1, "bidirectional" in kind)]


def test_it_returns_what_the_layer_returns(by_definition):
    layer = snn.RNN(snn.LSTMCell(F, H, rngs=nnx.Rngs(0)), return_carry=True)
    assert_close(snn.CuDNN(layer)(X), layer(X))
    assert_close(snn.CuDNN(layer)(X, return_carry=False), layer(X, return_carry=False))


@pytest.mark.parametrize("kind", STACKS)
def test_flat_weights_go_out_and_in(kind):
    layer = STACKS[kind]()
    nnx.update(layer, randomized(layer)[1])
    flat, other = cudnn_weights(layer), STACKS[kind]()
    load_cudnn_weights(snn.CuDNN(other), flat)
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
    with pytest.raises(UserError, match=r"must have the shape \(220,\), not \(219,\)"):
        load_cudnn_weights(lstm(), np.zeros(219, np.float32))
    with pytest.raises(UserError, match="supported for LSTM layers"):
        cudnn_weights(snn.GRUCell(F, H, rngs=nnx.Rngs(0)))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: snn.RNN(snn.GRUCell(F, H, rngs=nnx.Rngs(0))), "only the LSTM, and found GRUCell"),
        (lambda: snn.RNN(nnx.LSTMCell(F, H, rngs=nnx.Rngs(0))), "only the LSTM, and found LSTMCell"),
        (lambda: snn.BidirectionalRNN(*[nnx.RNN(nnx.LSTMCell(F, H, rngs=nnx.Rngs(0)))] * 2), "layers of seqnets, and found flax"),
        (lambda: snn.LSTMCell(F, H, rngs=nnx.Rngs(0)), "needs an RNN, a BidirectionalRNN or a StackedRNN, and found LSTMCell"),
        (lambda: lstm(layer_norm=True), "no layer normalization"),
        (lambda: lstm(zoneout=0.1), "no zoneout"),
        (lambda: lstm(remat=2), "no remat"),
        (lambda: lstm(weight_dropout=0.1), "no weight dropout"),
        (lambda: lstm(time_major=True), "batch axis first"),
        (lambda: lstm(dtype=jnp.bfloat16), "float32 only, and found bfloat16"),
        (lambda: both(merge="sum"), "concatenates its directions"),
        (lambda: both(merge_fn=jnp.maximum), "concatenates its directions"),
        (lambda: snn.RNN(snn.LSTMCell(F, H, rngs=nnx.Rngs(0)), learned_carry=True), "no learned carry"),
        (lambda: lstm(gate_fn=jax.nn.relu), "other activations"),
        (lambda: snn.StackedRNN([lstm(), lstm(H)], dropout=0.1), "no dropout between layers"),
        (lambda: snn.StackedRNN([lstm(), lstm(H)], residual=True), "no residual connections"),
        (lambda: snn.StackedRNN([lstm(), lstm(H, hidden=7)]), "must be alike in size and direction"),
        (lambda: snn.StackedRNN([lstm(), lstm(H, reverse=True)]), "must be alike in size and direction"),
        (lambda: snn.StackedRNN([lstm(), snn.RNN(snn.GRUCell(H, H, rngs=nnx.Rngs(0)))]), "only the LSTM"),
    ],
)
def test_what_it_cannot_do_is_refused(build, message):
    with pytest.raises(UserError, match=f"cuDNN cannot run this layer: .*{message}.*; use it without CuDNN"):
        snn.CuDNN(build())


@pytest.mark.parametrize("shape", [(B, 0, F), (0, T, F), (T, F)])
def test_no_steps_or_rows_are_refused(shape):
    with pytest.raises(UserError, match="at least one row and step"):
        snn.CuDNN(lstm())(jnp.zeros(shape))


def test_as_a_backend_it_is_answered_with_the_wrapper():
    with pytest.raises(UserError, match=r"wrap LSTM layers instead: seqnets\.nn\.CuDNN\(layer\)"):
        snn.RNN(snn.LSTMCell(F, H, rngs=nnx.Rngs(0)), backend="cudnn")(X)


def test_without_a_gpu_it_is_refused():
    if default_platform() == "cuda":
        pytest.skip("there is a GPU")
    with pytest.raises(UserError, match="it runs on NVIDIA GPUs only, and JAX's default is cpu; call the layer without CuDNN"):
        snn.CuDNN(lstm())(X)


def test_it_is_lowered_for_a_gpu(monkeypatch):
    if not cudnn.is_linked():
        pytest.skip("this jaxlib came without its plugin for NVIDIA GPUs, which lowers cuDNN's calls")
    monkeypatch.setattr(wrapper, "_call_refusal", lambda inputs: None)
    if default_platform() != "cuda":  # cuDNN itself would have to be asked
        monkeypatch.setattr(rnn.gpu_rnn, "compute_rnn_workspace_reserve_space_sizes", lambda *sizes: (64, 128))
    graph, params, rest = randomized(snn.CuDNN(STACKS["two-bidirectional"]()))
    gradient = jax.jit(jax.grad(lambda params, x: nnx.merge(graph, params, rest)(x).sum()))
    assert "cudnn_rnn_bwd_ffi" in gradient.trace(params, X).lower(lowering_platforms=("cuda",)).as_text()


def test_a_run_that_asked_for_it_opens_with_auto():
    assert stated({"backend": "cudnn"}, CharLMConfig()).backend == "auto"


@pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["whole", "lengths"])
@pytest.mark.parametrize("kind", STACKS)
def test_on_a_gpu_it_equals_the_reference(kind, lengths):
    if default_platform() != "cuda":
        pytest.skip("no NVIDIA GPU here")
    starts = random_starts(STACKS[kind]())
    with jax.default_matmul_precision("highest"):
        found, expected = [
            values_and_gradients(make(STACKS[kind]()), lengths, starts) for make in (snn.CuDNN, lambda layer: layer)
        ]
    assert_close(found, expected)
