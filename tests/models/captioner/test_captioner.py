"""Captioners: against the paper's equations in float64, step against whole caption, every kind of cell and injection."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from oracles import show_attend_tell
from seqnets.data.words.vocabulary import WordVocabulary
from seqnets.errors import UserError
from seqnets.models.captioner import Captioner, CaptionerConfig, from_description, preset
from seqnets.ops.caption_loss import doubly_stochastic_penalty, word_nats

VOCABULARY = WordVocabulary(("a", "cat", "dog", "runs", "sits"))
B, T, L, D = 3, 5, 4, 6
SHAPE = {"encoder": "features", "feature_map": (2, 2, D), "hidden_features": 7, "embedding_features": 5, "attention_features": 8}


def captioner(**settings):
    model = Captioner(VOCABULARY, **{**SHAPE, **settings}, rngs=nnx.Rngs(0))
    noise = np.random.default_rng(3)
    for leaf in jax.tree.leaves(nnx.state(model, nnx.Param), is_leaf=lambda leaf: isinstance(leaf, nnx.Variable)):
        leaf[...] = leaf[...] + 0.3 * noise.normal(size=leaf.shape).astype(np.float32)  # no bias may be left out unnoticed
    return model


@pytest.fixture(scope="module")
def batch():
    rng = np.random.default_rng(1)
    features = rng.normal(size=(B, L, D)).astype(np.float32)
    targets = rng.integers(4, len(VOCABULARY), size=(B, T)).astype(np.int32)
    lengths = np.array([5, 2, 4], np.int32)
    targets[np.arange(B), lengths - 1] = VOCABULARY.end
    tokens = np.concatenate([np.full((B, 1), VOCABULARY.begin, np.int32), targets[:, :-1]], axis=1)
    return features, tokens, targets, lengths


def stepped(model, features, tokens):
    annotations = model.encode(jnp.asarray(features))
    carry = model.initialize_carry(annotations)
    logits, attention = [], []
    step = jax.jit(lambda token, carry: model.step(token, carry, annotations))
    for t in range(tokens.shape[1]):
        scores, carry, alpha = step(jnp.asarray(tokens[:, t]), carry)
        logits.append(scores)
        attention.append(alpha)
    return jnp.stack(logits, 1), None if attention[0] is None else jnp.stack(attention, 1)


def test_sat_soft_is_the_paper_in_float64(batch):
    features, tokens, targets, lengths = batch
    model = captioner(**preset("sat-soft")["model"])
    weights = show_attend_tell.weights_of(model)
    logits, attention = stepped(model, features, tokens)
    for row in range(B):
        expected = show_attend_tell.read_one(weights, features[row].astype(np.float64), tokens[row], VOCABULARY.begin)
        np.testing.assert_allclose(logits[row], expected[0], atol=2e-5)
        np.testing.assert_allclose(attention[row], expected[1], atol=2e-6)
    logits, attention = model(jnp.asarray(features), jnp.asarray(tokens), lengths=jnp.asarray(lengths))
    penalty = doubly_stochastic_penalty(attention, jnp.asarray(lengths))
    total = (word_nats(logits, jnp.asarray(targets), jnp.asarray(lengths)).sum() + 0.7 * penalty.sum()) / lengths.sum()
    expected = show_attend_tell.loss(weights, features.astype(np.float64), tokens, targets, lengths, VOCABULARY.begin, 0.7)
    assert float(total) == pytest.approx(expected, abs=2e-5)


VARIANTS = [
    {"cell": "lstm", "attention": "dot", "gate": "vector"},
    {"cell": "highway", "attention": "dot", "layers": 2},
    {"cell": "gru", "attention": "none", "inject": "every", "layers": 2},
    {"cell": "vanilla", "attention": "none", "inject": "every", "deep_output": False},
]
VARIANTS += [{"attention": "none", "inject": way} for way in ("first", "token", "init")]
VARIANTS += [
    {"attention": "additive", "gate": "none", "deep_output": False, "layers": 2, "layer_norm": True},
    {"attention": "additive", "hard": True, "hard_reading": "argmax", "cell": "gru", "reset": "before", "zoneout": 0.2},
    {"attention": "additive", "normalize_features": True},
]


@pytest.mark.parametrize("settings", VARIANTS, ids=lambda s: "-".join(str(value) for value in s.values()))
def test_steps_are_teacher_forcing(batch, settings):
    features, tokens, _, lengths = batch
    model = captioner(**settings)
    whole, seen = model(jnp.asarray(features), jnp.asarray(tokens), lengths=jnp.asarray(lengths))
    logits, attention = stepped(model, features, tokens)
    valid = np.arange(T) < lengths[:, None]
    np.testing.assert_allclose(np.asarray(whole)[valid], np.asarray(logits)[valid], atol=2e-5)
    if attention is None:
        assert seen is None
    else:
        np.testing.assert_allclose(np.asarray(seen)[valid], np.asarray(attention)[valid], atol=2e-6)
        assert not np.asarray(seen)[~valid].any()


def test_the_image_enters_a_vanilla_cell_at_every_step_as_the_equation_says(batch):
    features, tokens, _, lengths = batch
    model = captioner(**preset("every")["model"])
    decoder, cell = model.decoder, model.decoder.rnn.layers[0].cell
    E, W, U, b, V, L_o, b_o = (
        np.asarray(v[...], np.float64)
        for v in (decoder.embedding, cell.kernel, cell.recurrent_kernel, cell.bias, decoder.context_kernel,
                  decoder.output.kernel, decoder.output.bias)
    )  # fmt: skip
    logits, _ = model(jnp.asarray(features), jnp.asarray(tokens), lengths=jnp.asarray(lengths))
    for row in range(B):
        h, image = np.zeros(SHAPE["hidden_features"]), features[row].astype(np.float64).mean(0)
        for t in range(lengths[row]):
            x = np.zeros(E.shape[1]) if tokens[row, t] == VOCABULARY.begin else E[tokens[row, t]]
            h = np.tanh(x @ W + h @ U + image @ V + b)
            np.testing.assert_allclose(logits[row, t], h @ L_o + b_o, atol=2e-5)


@pytest.mark.parametrize("inject", ["every", "first", "token", "init"])
def test_every_injection_lets_the_image_through(batch, inject):
    features, tokens, _, lengths = batch
    model = captioner(attention="none", inject=inject)
    moved = features + np.float32(0.5)
    one, other = (model(jnp.asarray(x), jnp.asarray(tokens), lengths=jnp.asarray(lengths))[0] for x in (features, moved))
    assert float(jnp.abs(one[:, 0] - other[:, 0]).max()) > 1e-3


def test_words_and_attention_beyond_the_end_do_not_count(batch):
    features, tokens, targets, lengths = batch
    model = captioner(**preset("sat-soft")["model"])
    padded = np.concatenate([tokens, np.full((B, 3), VOCABULARY.pad, np.int32)], axis=1)
    n = jnp.asarray(lengths)
    _, short = model(jnp.asarray(features), jnp.asarray(tokens), lengths=n)
    logits, long = model(jnp.asarray(features), jnp.asarray(padded), lengths=n)
    np.testing.assert_allclose(doubly_stochastic_penalty(short, n), doubly_stochastic_penalty(long, n), atol=1e-6)
    raw = jnp.full_like(long, 1 / L)  # attention that was not masked by the model
    np.testing.assert_allclose(doubly_stochastic_penalty(raw, n), L * (1 - lengths / L) ** 2, atol=1e-6)
    assert not np.asarray(word_nats(logits, jnp.asarray(np.pad(targets, ((0, 0), (0, 3)))), n))[:, T:].any()


def test_hard_attention_reads_one_location_or_the_mean(batch):
    features, tokens, _, lengths = batch
    model = captioner(**preset("sat-hard")["model"])
    annotations = model.encode(jnp.asarray(features))
    reading = model.read(annotations, jnp.asarray(tokens), lengths=jnp.asarray(lengths), key=jax.random.key(5))
    assert reading.location.shape == (B, T)
    assert set(np.unique(reading.location)) <= set(range(L))
    sight, expected = model.decoder.sight, jnp.array([True, False, False])
    query = jnp.ones((B, SHAPE["hidden_features"]))
    look = sight(query, annotations.projected, annotations.features, expected, jax.random.key(2))
    gate = sight._gate(query)
    np.testing.assert_allclose(look.context[1:], gate[1:] * features[np.arange(1, B), look.location[1:]], rtol=1e-5)
    mean = np.einsum("l,ld->d", look.attention[0], features[0])
    np.testing.assert_allclose(look.context[0], gate[0] * mean, rtol=1e-4, atol=1e-6)


def test_a_state_that_never_sees_the_context_reads_words_alone(batch):
    features, tokens, _, lengths = batch
    model = captioner(initial="zeros", context_dropout=0.999999, gate="none", deep_output=False)
    annotations = model.encode(jnp.asarray(features))
    blind = model.read(annotations, jnp.asarray(tokens), lengths=jnp.asarray(lengths), key=jax.random.key(0)).logits
    model.decoder.context_kernel[...] = jnp.zeros_like(model.decoder.context_kernel[...])
    np.testing.assert_allclose(blind, model(features, tokens, lengths=lengths)[0], rtol=1e-5, atol=1e-5)
    assert not any(leaf.any() for leaf in jax.tree.leaves(model.initialize_carry(annotations)))


def test_the_first_word_has_no_word_before_it(batch):
    features, tokens, _, lengths = batch
    model = captioner(**preset("sat-soft")["model"])
    before = model(jnp.asarray(features), jnp.asarray(tokens), lengths=jnp.asarray(lengths))[0]
    model.decoder.embedding[...] = model.decoder.embedding[...].at[VOCABULARY.begin].add(5.0)
    after = model(jnp.asarray(features), jnp.asarray(tokens), lengths=jnp.asarray(lengths))[0]
    np.testing.assert_array_equal(before, after)


def test_a_network_is_cut_after_the_stage_that_is_looked_at():
    model = Captioner(
        VOCABULARY, encoder="squeezenet1_1", encoder_layer="stage2", image_size=63, hidden_features=8, rngs=nnx.Rngs(0)
    )
    assert model.feature_map == (7, 7, 256)
    assert not hasattr(model.encoder, "stage3")
    assert model.features(jnp.zeros((1, 63, 63, 3))).shape == (1, 49, 256)


def test_an_encoder_with_batch_norm_does_not_drift_while_training():
    model = Captioner(VOCABULARY, encoder="resnet20", encoder_layer="stage2", image_size=32, rngs=nnx.Rngs(0))
    before = jax.tree.map(np.asarray, nnx.state(model, nnx.BatchStat))
    tokens = jnp.full((2, 3), VOCABULARY.begin)
    model(
        jax.random.normal(jax.random.key(0), (2, 32, 32, 3)), tokens, lengths=jnp.array([3, 3]), train=True, key=jax.random.key(1)
    )
    jax.tree.map(np.testing.assert_array_equal, before, jax.tree.map(np.asarray, nnx.state(model, nnx.BatchStat)))
    assert jax.tree.leaves(before)


def test_a_description_makes_the_same_model():
    model = captioner(**preset("sat-soft")["model"])
    from dataclasses import asdict

    again = from_description({"config": asdict(model.config)}, VOCABULARY)
    assert again.config == model.config
    assert jax.tree.structure(nnx.state(again)) == jax.tree.structure(nnx.state(model))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"hidden_features": 0}, "model.hidden_features must be at least 1"),
        ({"attention": "none", "hard": True}, "model.hard is a kind of attention"),
        ({"feature_map": (2, 2)}, "model.feature_map must be height, width and features"),
        ({"dropout": 1.0}, "model.dropout must be at least 0 and below 1, not 1.0"),
    ],
)
def test_impossible_settings_are_refused(settings, message):
    with pytest.raises(UserError, match=message):
        CaptionerConfig(**{**SHAPE, **settings})


def test_images_of_another_size_are_refused():
    with pytest.raises(UserError, match=r"features have shape \(1, 9, 6\); this captioner takes \[B, 4, 6\]"):
        captioner().encode(jnp.zeros((1, 9, 6)))


def test_a_stage_that_is_no_map_is_refused():
    with pytest.raises(UserError, match=r"model\.encoder_layer must be one of stem, stage1"):
        Captioner(VOCABULARY, encoder="resnet20", encoder_layer="logits", image_size=32, rngs=nnx.Rngs(0))
