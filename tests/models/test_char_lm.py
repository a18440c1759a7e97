"""The character model: its shortcuts equal the long way round, and its noise needs a key."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from numerics import assert_close
from seqnets.data import Vocabulary
from seqnets.errors import UserError
from seqnets.models.char_lm import CharLM, CharLMConfig
from seqnets.nn import StackedRNN
from seqnets.ops.native import build as build_kernels

VOCABULARY = Vocabulary.from_text("abcdefg")
TOKENS = jnp.asarray(np.random.default_rng(0).integers(0, 7, (3, 11)), jnp.int32)
RESETS = jnp.asarray(np.random.default_rng(1).random((3, 11)) < 0.2)

VARIANTS = {
    "lstm": {},
    "one-hot": {"embedding_features": 0},
    "gru-stack": {"cell": "gru", "layers": 2},
    "gru-residual": {"cell": "gru", "layers": 2, "reset": "before", "residual": True, "embedding_features": 9},
    "vanilla-residual-one-hot": {"cell": "vanilla", "residual": True, "embedding_features": 0, "hidden_features": 7},
    "highway-norm": {"cell": "highway", "layer_norm": True, "zoneout": 0.1},
    "tied": {"tied": True, "embedding_features": 5},
    "tied-same-size": {"tied": True, "embedding_features": 9},
}


def build(**options) -> CharLM:
    return CharLM(VOCABULARY, **{"hidden_features": 9, "rngs": nnx.Rngs(0)} | options)


def through_embedding(model: CharLM, tokens, carry, resets):
    """The long way round: a vector for every character, then the layers, then the output layer."""
    config = model.config
    table = model.embedding[...] if config.embedding_features else jnp.eye(len(VOCABULARY))
    carry, x = StackedRNN(model.rnn.layers, residual=config.residual)(
        table[tokens], initial_carry=carry, resets=resets, return_carry=True
    )
    if not config.tied:
        return x @ model.output_kernel[...] + model.output_bias[...][None, None], carry
    x = x @ model.output_projection[...] if hasattr(model, "output_projection") else x
    return x @ model.embedding[...].T + model.output_bias[...][None, None], carry


@pytest.mark.parametrize("options", VARIANTS.values(), ids=VARIANTS)
def test_equals_the_long_way_round(options):
    model = build(**options)
    carry = jax.tree.map(lambda leaf: leaf + 0.3, model.initialize_carry(3))
    assert_close(model(TOKENS, carry, resets=RESETS), through_embedding(model, TOKENS, carry, RESETS))


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("options", VARIANTS.values(), ids=VARIANTS)
def test_character_by_character_equals_whole(options, packed):
    model = build(**options)
    whole, last = model(TOKENS, model.initialize_carry(3))
    step, carry, logits = model.stepper(model.pack() if packed else None), model.initialize_carry(3), []
    for t in range(TOKENS.shape[1]):
        one, carry = step(TOKENS[:, t], carry)
        logits.append(one)
    assert_close((jnp.stack(logits, 1), carry), (whole, last))


@pytest.mark.skipif(build_kernels.library() is None, reason="no C++ compiler here")
@pytest.mark.parametrize(
    ("options", "together"),
    [
        ({}, True),
        ({"cell": "gru", "layers": 2}, True),
        ({"cell": "highway", "backend": "native"}, True),
        ({"backend": "scan"}, False),
        ({"dtype": "bfloat16"}, False),
        ({"zoneout": 0.1}, False),
        ({"layer_norm": True}, False),
        ({"layers": 2, "residual": True}, False),
        ({"cell": "mingru"}, False),
    ],
)
def test_layers_step_together_where_there_is_a_kernel_for_them(options, together):
    assert (build(**options).pack().layers is not None) == together


@pytest.mark.parametrize("graph", [True, False])
@pytest.mark.parametrize("options", VARIANTS.values(), ids=VARIANTS)
def test_every_weight_gets_a_finite_gradient(options, graph):
    noise = {"dropout": 0.2, "input_dropout": 0.1, "weight_dropout": 0.2}
    model = build(**options | noise)
    graphdef, params = nnx.split(model, nnx.Param, graph=graph)

    @jax.jit
    @jax.grad
    def gradient(params):
        model = nnx.merge(graphdef, params)
        outputs, _ = model.features(TOKENS, model.initialize_carry(3), key=jax.random.key(0))
        logits = model.logits(outputs, key=jax.random.key(0))
        return jnp.mean(jnp.square(logits[..., :-1] - 1)) + model.penalty(outputs)

    for path, leaf in nnx.to_flat_state(gradient(params)):
        value = np.asarray(leaf[...])
        assert np.isfinite(value).all(), path
        assert value.any(), path


@pytest.mark.parametrize("noise", ["dropout", "input_dropout", "weight_dropout", "zoneout"])
@pytest.mark.parametrize("locked", [False, True])
def test_noise_needs_a_key_and_repeats_with_it(noise, locked):
    model = build(**{noise: 0.5}, layers=2, locked_dropout=locked)
    carry = model.initialize_carry(3)
    clean, noisy = model(TOKENS, carry)[0], model(TOKENS, carry, key=jax.random.key(0))[0]
    assert_close(model(TOKENS, carry)[0], clean)
    assert_close(model(TOKENS, carry, key=jax.random.key(0))[0], noisy)
    assert not np.allclose(clean, noisy, atol=1e-3)


def test_bfloat16_stays_close_and_answers_in_float32():
    exact, rough = build(cell="gru"), build(cell="gru", dtype="bfloat16")
    logits, carry = rough(TOKENS, rough.initialize_carry(3))
    assert logits.dtype == carry[0].dtype == jnp.float32
    assert_close(logits, exact(TOKENS, exact.initialize_carry(3))[0], "bfloat16")


def test_penalty_is_size_and_change():
    model = build(activation_penalty=2.0, slowness_penalty=3.0)
    x = np.random.default_rng(0).normal(size=(2, 5, 9))
    expected = 2 * (x**2).mean() + 3 * (np.diff(x, axis=1) ** 2).mean()
    assert float(model.penalty(jnp.asarray(x, jnp.float32))) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layers": 0}, "model.layers must be at least 1 and at most 1,000, not 0"),
        ({"dropout": 1.0}, "model.dropout must be at least 0 and below 1, not 1.0"),
        ({"tied": True, "embedding_features": 0}, "set it above 0"),
        ({"hiden_features": 9}, "CharLM: unknown key 'hiden_features'; did you mean 'hidden_features'"),
    ],
)
def test_errors_teach(options, message):
    with pytest.raises(UserError, match=message):
        build(**options)


def test_config_and_overrides_meet():
    assert CharLM(VOCABULARY, CharLMConfig(layers=2), hidden_features=9, rngs=nnx.Rngs(0)).config == CharLMConfig(
        layers=2, hidden_features=9
    )


@pytest.mark.parametrize("way", ["whole", "stepper", "packed"])
@pytest.mark.parametrize(
    ("rows", "carry", "message"),
    [
        (8, lambda model: model.initialize_carry(1), "carry is for 1 row, the tokens have 8"),
        (5, lambda model: model.initialize_carry(8), "carry is for 8 rows, the tokens have 5"),
        (1, lambda model: model.initialize_carry(8), "carry is for 8 rows, the tokens have 1"),
        (8, lambda model: model.initialize_carry(8)[:1], "carry has 1 entry, the stack 2 layers"),
        (8, lambda model: model.initialize_carry(8) * 2, "carry has 4 entries, the stack 2 layers"),
        (
            8,
            lambda model: build(layers=2, hidden_features=7).initialize_carry(8),
            "carry is for 7 hidden features, the layer has 9",
        ),
    ],
)
def test_a_carry_of_another_batch_or_stack_is_one_sentence(way, rows, carry, message):
    model = build(layers=2)
    tokens = jnp.zeros((rows, 4) if way == "whole" else (rows,), jnp.int32)
    call = model if way == "whole" else model.stepper(model.pack() if way == "packed" else None)
    with pytest.raises(UserError, match=message):
        call(tokens, carry(model))


@pytest.mark.parametrize("packed", [False, True])
def test_the_weights_of_another_model_are_one_sentence(packed):
    model, other = build(layers=2), build(layers=2, hidden_features=7)
    read = model.stepper(other.pack() if packed else other.pack()._replace(layers=None))
    with pytest.raises(UserError, match=r"hidden features|projected inputs must have the shape"):
        read(jnp.zeros(3, jnp.int32), model.initialize_carry(3))
