"""Sequence models: padding changes nothing, and their own arithmetic is that of a float64 loop."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from seqnets.data.words.token_table import TokenTable
from seqnets.data.words.vocabulary import token_vocabulary
from seqnets.models.sequence.pooling import POOLS
from seqnets.models.sequence.recurrent import RecurrentConfig, RecurrentEncoder
from seqnets.models.sequence.tagger import FrameScale, Tagger
from seqnets.models.sequence.text_classifier import TextClassifier, TextClassifierConfig, from_description
from seqnets.models.sequence.translator import Source, Translator, TranslatorConfig
from seqnets.models.sequence.vqa import VQA, VQAConfig
from seqnets.named_arrays import named_arrays

LETTERS = token_vocabulary(["abcdef"], "chars")
TOKENS = np.array([[4, 5, 6, 7, 8], [9, 4, 5, 0, 0]], np.int32)
LENGTHS = np.array([5, 3], np.int32)
SMALL = {"hidden_features": 6, "embedding_features": 5}


def weights_of(model):
    return {name: np.asarray(array, np.float64) for name, array in named_arrays(nnx.state(model, nnx.Param)).items()}


def differently_padded(tokens):
    more = np.pad(tokens, ((0, 0), (0, 4)), constant_values=7)
    return np.where(np.arange(9) < LENGTHS[:, None], more, 8)


@pytest.mark.parametrize("pooling", POOLS)
@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_padding_does_not_change_a_class(pooling, cell):
    config = TextClassifierConfig(cell=cell, pooling=pooling, layers=2, **SMALL)
    model = TextClassifier(LETTERS, ("x", "y", "z"), config, rngs=nnx.Rngs(0))
    logits = model(TOKENS, LENGTHS)
    np.testing.assert_allclose(model(differently_padded(TOKENS), LENGTHS), logits, rtol=1e-5, atol=1e-6)
    alone = model(TOKENS[1:, :3], LENGTHS[1:])
    np.testing.assert_allclose(alone, logits[1:], rtol=1e-5, atol=1e-6)
    assert abs(logits[0] - logits[1]).max() > 1e-3


def test_the_last_state_is_where_each_direction_ends():
    encoder = RecurrentEncoder(3, RecurrentConfig(cell="vanilla", hidden_features=4), rngs=nnx.Rngs(1))
    x = np.random.default_rng(0).standard_normal((2, 5, 3)).astype(np.float32)
    outputs, last = encoder(x, lengths=LENGTHS)
    for row, length in enumerate(LENGTHS):
        np.testing.assert_array_equal(last[row], np.concatenate([outputs[row, length - 1, :4], outputs[row, 0, 4:]]))


@pytest.mark.parametrize("center", [0, 5, -5])  # a maximum of numbers below zero, too
def test_pools_are_those_of_a_loop(center):
    outputs = center + np.random.default_rng(0).standard_normal((2, 5, 3)).astype(np.float32)
    last = outputs[:, 0]
    attention = POOLS["attention"](3, nnx.Rngs(2))
    w = weights_of(attention)
    for row, length in enumerate(LENGTHS):
        inside = outputs[row, :length].astype(np.float64)
        scores = np.tanh(inside @ w["hidden.kernel"] + w["hidden.bias"]) @ w["score_kernel"]
        shares = np.exp(scores) / np.exp(scores).sum()
        expected = {"last": last[row], "mean": inside.mean(0), "max": inside.max(0), "attention": shares @ inside}
        for name, value in expected.items():
            pool = attention if name == "attention" else POOLS[name](3, nnx.Rngs(0))
            np.testing.assert_allclose(pool(jnp.asarray(outputs), last, LENGTHS)[row], value, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", POOLS)
def test_an_empty_text_has_a_finite_class_and_gradient(name):
    pool = POOLS[name](3, nnx.Rngs(0))
    outputs, lengths = jnp.ones((1, 4, 3)), jnp.array([0])
    pooled, grads = jax.value_and_grad(lambda x: pool(x, jnp.zeros((1, 3)), lengths).sum())(outputs)
    assert np.isfinite(pooled)
    assert np.isfinite(grads).all()


def test_padding_does_not_change_labels():
    model = Tagger(TokenTable(tuple("abcdefgh")), ("x", "y"), RecurrentConfig(layers=2, **SMALL), rngs=nnx.Rngs(0))
    logits, padded = model(TOKENS, LENGTHS), model(differently_padded(TOKENS), LENGTHS)
    for row, length in enumerate(LENGTHS):
        np.testing.assert_allclose(padded[row, :length], logits[row, :length], rtol=1e-5, atol=1e-6)


def test_frames_are_brought_to_scale():
    plain = Tagger(FrameScale((0.0, 0.0), (1.0, 1.0)), ("x", "y"), RecurrentConfig(**SMALL), rngs=nnx.Rngs(0))
    scaled = Tagger(FrameScale((10.0, -2.0), (4.0, 0.5)), ("x", "y"), RecurrentConfig(**SMALL), rngs=nnx.Rngs(0))
    x = np.random.default_rng(0).standard_normal((2, 5, 2)).astype(np.float32)
    raw = x * np.float32([4, 0.5]) + np.float32([10, -2])
    np.testing.assert_allclose(scaled(raw, LENGTHS), plain(x, LENGTHS), rtol=1e-4, atol=1e-5)


def test_unknown_tokens_are_drawn_only_with_a_key():
    config = TextClassifierConfig(unknown_rate=0.9, **SMALL)
    model = TextClassifier(LETTERS, ("x", "y"), config, rngs=nnx.Rngs(0))
    np.testing.assert_array_equal(model(TOKENS, LENGTHS), model(TOKENS, LENGTHS))
    unknown = model(np.full_like(TOKENS, LETTERS.unknown), LENGTHS)
    drawn = [model(TOKENS, LENGTHS, key=jax.random.key(seed)) for seed in range(6)]
    assert min(abs(logits - unknown).max() for logits in drawn) < 1e-5


@pytest.fixture(params=["additive", "dot", "none"])
def translator(request):
    config = TranslatorConfig(cell="vanilla", attention=request.param, attention_features=4, **SMALL)
    return Translator(LETTERS, LETTERS, config, rngs=nnx.Rngs(0))


def one_by_one(model, row, targets):
    """The logits and attention of one pair, one step after the other, in float64."""
    w, length, hidden = weights_of(model), LENGTHS[row], 6

    def run(x, way):
        cell = {k: w[f"encoder.rnn.layers.0.{way}.cell.{k}"] for k in ("kernel", "recurrent_kernel", "bias")}
        state, outputs = np.zeros(hidden), []
        for step in x:
            state = np.tanh(step @ cell["kernel"] + state @ cell["recurrent_kernel"] + cell["bias"])
            outputs.append(state)
        return outputs

    source = w["source_embedding.table"][TOKENS[row, :length]]
    ahead, back = run(source, "forward"), run(source[::-1], "backward")
    states = np.concatenate([ahead, back[::-1]], axis=1)
    last = np.concatenate([ahead[-1], back[-1]])
    state, logits, attention = np.tanh(last @ w["bridge.kernel"] + w["bridge.bias"]), [], []
    for token in targets:
        kind, x = model.config.attention, w["embedding.table"][token]
        context = last
        if kind != "none":
            projected, query = states @ w["attention.annotation_kernel"], state @ w["attention.query_kernel"]
            if kind == "additive":
                scores = np.tanh(projected + w["attention.annotation_bias"] + query) @ w["attention.score_kernel"]
            else:
                scores = projected @ query / np.sqrt(4)
            shares = np.exp(scores) / np.exp(scores).sum()
            context = shares @ states
            attention.append(shares)
        inputs = np.concatenate([x, context])
        cell = {k: w[f"cells.0.{k}"] for k in ("kernel", "recurrent_kernel", "bias")}
        state = np.tanh(inputs @ cell["kernel"] + state @ cell["recurrent_kernel"] + cell["bias"])
        deep = np.tanh(np.concatenate([state, x, context]) @ w["deep.kernel"] + w["deep.bias"])
        logits.append(deep @ w["output.kernel"] + w["output.bias"])
    return np.stack(logits), attention


def test_a_translator_is_its_loop(translator):
    targets = np.array([[1, 4, 5, 6], [1, 7, 8, 9]], np.int32)
    logits, attention = translator(Source(TOKENS, LENGTHS), targets)
    padded, _ = translator(Source(differently_padded(TOKENS), LENGTHS), targets)
    np.testing.assert_allclose(padded, logits, rtol=1e-5, atol=1e-6)
    for row in (0, 1):
        expected, shares = one_by_one(translator, row, targets[row])
        np.testing.assert_allclose(logits[row], expected, rtol=1e-4, atol=1e-5)
        if shares:
            np.testing.assert_allclose(attention[row, :, : LENGTHS[row]], shares, rtol=1e-4, atol=1e-5)
            assert not attention[row, :, LENGTHS[row] :].any()


def test_steps_are_the_teacher_forced_pass():
    config = TranslatorConfig(cell="lstm", layers=2, attention_features=4, **SMALL)
    model = Translator(LETTERS, LETTERS, config, rngs=nnx.Rngs(0))
    targets = np.array([[1, 4, 5], [1, 7, 8]], np.int32)
    together, seen = model(Source(TOKENS, LENGTHS), targets)
    annotations = model.encode(Source(TOKENS, LENGTHS))
    carry = model.initialize_carry(annotations)
    for t in range(3):
        logits, carry, attention = model.step(targets[:, t], carry, annotations)
        np.testing.assert_allclose(logits, together[:, t], rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(attention, seen[:, t], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("attention", "pooling"), [("none", "max"), ("none", "flatten"), ("additive", "max")])
def test_an_answer_is_its_loop(attention, pooling):
    sizes = {"joint_features": 7, "image_size": 16, "encoder_width": 2, **SMALL}
    config = VQAConfig(cell="vanilla", attention=attention, pooling=pooling, **sizes)
    model = VQA(LETTERS, ("no", "yes"), config, rngs=nnx.Rngs(0))
    images = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3)).astype(np.uint8)
    logits, looked = model(images, TOKENS, LENGTHS)
    padded, _ = model(images, differently_padded(TOKENS), LENGTHS)
    np.testing.assert_allclose(padded, logits, rtol=1e-5, atol=1e-6)
    w = weights_of(model)
    _, last = model.reader(model.embedding(TOKENS), lengths=LENGTHS)
    seen = np.asarray(model.eye(jnp.asarray(images, jnp.float32) / 127.5 - 1), np.float64)
    for row in (0, 1):
        joined = np.tanh(np.asarray(last[row], np.float64) @ w["question.kernel"] + w["question.bias"])
        if attention == "none":
            flat = seen[row].reshape(-1) if pooling == "flatten" else seen[row].max((0, 1))
            flat = flat / np.sqrt(np.mean(flat**2) + 1e-6)
            joined = joined * np.tanh(flat @ w["picture.kernel"] + w["picture.bias"])
        else:
            places = np.tanh(seen[row].reshape(-1, seen.shape[-1]) @ w["picture.kernel"] + w["picture.bias"])
            for k in (0, 1):
                part = {name: w[f"glimpses.{k}.{name}"] for name in ("annotation_kernel", "annotation_bias", "query_kernel")}
                hidden = np.tanh(places @ part["annotation_kernel"] + part["annotation_bias"] + joined @ part["query_kernel"])
                scores = hidden @ w[f"glimpses.{k}.score_kernel"]
                shares = np.exp(scores) / np.exp(scores).sum()
                np.testing.assert_allclose(looked[row, k], shares, rtol=1e-4, atol=1e-5)
                joined = joined + shares @ places
        hidden = np.tanh(joined @ w["hidden.kernel"] + w["hidden.bias"])
        np.testing.assert_allclose(logits[row], hidden @ w["output.kernel"] + w["output.bias"], rtol=1e-4, atol=1e-5)


def test_a_description_without_its_vocabulary_is_reported():
    from seqnets.errors import UserError

    model = TextClassifier(LETTERS, ("x", "y"), TextClassifierConfig(**SMALL), rngs=nnx.Rngs(0))
    with pytest.raises(UserError, match=r"no vocabulary\.json"):
        from_description(model.describe(), None)
    with pytest.raises(UserError, match="unknown key 'cel'; did you mean 'cell'"):
        from_description({"config": {"cel": "gru"}}, LETTERS)
