"""Surprise, units, memory and gradient flow against slower computations and known recurrences."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from seqnets.data import Vocabulary
from seqnets.data.text.pieces import TextSubwords, TextWords
from seqnets.decode import score
from seqnets.errors import UserError
from seqnets.inspect import detectors, gradient_flow, memory, surprise, trace
from seqnets.inspect.flow import GradientFlow, largest_singular_value, norms_back, step_jacobian
from seqnets.models.char_lm import CharLM

TEXT = 'It was a "dark" night.\nAnd (so) it went, 12 times.\n\n' * 30
VOCABULARY = Vocabulary.from_text(TEXT)
TOKENS = VOCABULARY.encode(TEXT)


def model_of(**options):
    options = {"hidden_features": 12, **options}
    return CharLM(VOCABULARY, rngs=nnx.Rngs(0), **options)


@pytest.fixture(scope="module")
def lstm():
    return model_of(layers=2)


@pytest.mark.parametrize("separator", [(), tuple(VOCABULARY.encode("\n\n").tolist())])
def test_surprise_is_the_score(lstm, separator):
    found = surprise(lstm, TOKENS[:700], separator=separator)
    assert found.nats == pytest.approx(score(lstm, TOKENS[:700], separator=separator).nats, abs=1e-6)
    assert "".join(found.texts) == TEXT[:700]
    assert np.isnan(found.bits[0])
    assert found.expected[0] == []


@pytest.mark.parametrize("kind", [TextWords, TextSubwords])
def test_surprise_of_words_and_pieces_is_the_score_per_character(kind):
    if kind is TextSubwords:
        pytest.importorskip("tokenizers", reason="the extra [bpe] is not installed")
    vocabulary = kind.from_texts([TEXT])
    tokens = vocabulary.encode(TEXT[:700])
    assert len(tokens) < 600
    model = CharLM(vocabulary, hidden_features=8, rngs=nnx.Rngs(0))
    assert surprise(model, tokens).nats == pytest.approx(score(model, tokens).nats, abs=1e-6)


def test_expected_are_the_likeliest(lstm):
    logits, _ = lstm(jnp.asarray(TOKENS[None, :9]), lstm.initialize_carry(1))
    probabilities = np.asarray(jax.nn.softmax(logits[0, 7]))
    found = surprise(lstm, TOKENS[:9], likeliest=3).expected[8]
    assert [token for token, _ in found] == np.argsort(-probabilities, kind="stable")[:3].tolist()
    np.testing.assert_allclose([p for _, p in found], np.sort(probabilities)[::-1][:3], rtol=1e-5)


def test_worst_passages_do_not_overlap(lstm):
    found = surprise(lstm, TOKENS[:400]).worst(4, length=30)
    starts = sorted(passage.start for passage in found)
    assert all(later - earlier >= 30 for earlier, later in itertools.pairwise(starts))
    assert [passage.bits for passage in found] == sorted((passage.bits for passage in found), reverse=True)


def test_a_trace_does_not_depend_on_its_pieces(lstm):
    whole, part = trace(lstm, TOKENS[:600]), trace(lstm, TOKENS[:300])
    np.testing.assert_allclose(whole.states[:300], part.states, atol=1e-6)
    _, states, _ = lstm.states(jnp.asarray(TOKENS[None, :600]), lstm.initialize_carry(1))
    np.testing.assert_allclose(whole.states, np.concatenate([np.tanh(layer.cell[0]) for layer in states], -1), atol=1e-5)


def test_a_unit_that_was_made_to_follow_is_found():
    model = model_of(cell="vanilla", embedding_features=0)
    for name in ("kernel", "recurrent_kernel"):  # unit 5 is high at capitals, and all others are still
        getattr(model.rnn.layers[0].cell, name)[...] = jnp.zeros_like(getattr(model.rnn.layers[0].cell, name)[...])
    capitals = np.array([character.isupper() for character in VOCABULARY.characters])
    model.rnn.layers[0].cell.kernel[...] = model.rnn.layers[0].cell.kernel[...].at[:, 5].set(np.where(capitals, 2.0, -2.0))
    found = {detector.mark: detector for detector in detectors(model, TOKENS, language="prose")}
    capital = found["capital"]
    assert (capital.layer, capital.index, capital.direction, capital.score) == (0, 5, 1, 1.0)
    assert found["position in the line"].score < 0.4
    assert "no unit" in found["position in the line"].verdict


def test_scores_are_those_of_plain_counting(lstm):
    found = next(one for one in detectors(lstm, TOKENS, language="prose") if one.mark == "quotes")
    half = len(TOKENS) // 2
    states = trace(lstm, TOKENS).states[half:, found.unit]
    from seqnets.inspect import scan

    mark = scan(TEXT, "prose")["quotes"][half:]
    high, low = states[mark][:, None], states[~mark][None]
    area = ((high > low) + 0.5 * (high == low)).mean()
    assert found.score == pytest.approx(max(area, 1 - area) if found.direction > 0 or area < 0.5 else 1 - area, abs=1e-6)


def test_memory_is_the_gradient_of_each_prediction(lstm):
    found = memory(lstm, TOKENS, start=40, length=6, width=8)
    carry = lstm.initialize_carry(1)

    def log_prob(vectors, t):
        logits, _ = lstm.read_inputs(vectors, carry)
        return jax.nn.log_softmax(logits[0, t - 1])[TOKENS[t]]

    vectors = lstm.embed(jnp.asarray(TOKENS[None, :46]))
    for row in range(6):
        gradient = jax.grad(log_prob)(vectors, 40 + row)[0]
        expected = np.linalg.norm(gradient[40 + row - 1 :: -1][:8], axis=-1)
        np.testing.assert_allclose(found.gradients[row], expected, rtol=2e-4, atol=1e-7)
    assert found.by_distance[0] == 1


def test_memory_at_the_beginning_has_nothing_before_it(lstm):
    found = memory(lstm, TOKENS, start=0, length=3, width=5)
    assert found.start == 1
    assert (found.gradients[0, 1:] == 0).all()
    with pytest.raises(UserError, match="no character"):
        memory(lstm, TOKENS[:5], start=9)


@pytest.mark.parametrize("factor", [0.8, 1.0, 1.1])
def test_a_scaled_orthogonal_recurrence_multiplies_exactly(factor):
    rng = np.random.default_rng(0)
    orthogonal = jnp.asarray(factor * np.linalg.qr(rng.normal(size=(6, 6)))[0], jnp.float32)
    weights = jnp.asarray(rng.normal(size=(2, 6)), jnp.float32)
    norms, _ = norms_back(
        lambda h, x: h @ orthogonal + x, jnp.zeros((2, 6)), jnp.ones((30, 2, 6)), lambda h: (h * weights).sum(-1)
    )
    np.testing.assert_allclose(norms / norms[:, :1], np.broadcast_to(factor ** np.arange(30), (2, 30)), rtol=1e-4)
    flow = GradientFlow([[factor]], np.array([factor]), np.asarray(norms[0] / norms[0, 0], np.float64))
    assert flow.growth == pytest.approx(factor, rel=1e-4)
    assert flow.diagnosis.split()[1].strip(":") == {0.8: "vanish", 1.0: "last", 1.1: "explode"}[factor]


def test_a_matrix_that_is_not_normal_grows_before_it_shrinks():
    matrix = jnp.array([[0.5, 4.0], [0.0, 0.5]])
    powers = [np.linalg.norm(np.linalg.matrix_power(np.asarray(matrix).T, k) @ np.ones(2)) for k in range(12)]
    norms, _ = norms_back(lambda h, x: h @ matrix.T + x, jnp.zeros((1, 2)), jnp.zeros((12, 1, 2)), lambda h: h.sum(-1))
    np.testing.assert_allclose(norms[0], powers, rtol=1e-5)
    assert norms[0, 1] > norms[0, 0] > norms[0, -1]


@pytest.mark.parametrize("size", [1, 2, 3, 20])
def test_largest_singular_value(size):
    matrix = np.random.default_rng(0).normal(size=(size, size)).astype(np.float32)
    assert largest_singular_value(matrix) == pytest.approx(np.linalg.norm(matrix, 2), rel=1e-5)


def test_the_jacobian_of_a_vanilla_step_is_in_closed_form():
    model = model_of(cell="vanilla")
    cell, token = model.rnn.layers[0].cell, int(TOKENS[3])
    before = jnp.asarray(np.random.default_rng(0).normal(size=12), jnp.float32)
    after = model.step(jnp.array([token]), (before[None],))[1][0][0]
    expected = (1 - np.square(after))[:, None] * np.asarray(cell.recurrent_kernel[...]).T
    found = step_jacobian(*nnx.split(model), (before,), jnp.asarray(token))
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_an_lstm_carries_gradients_further_than_a_vanilla_network():
    flows = [gradient_flow(model_of(cell=cell), TOKENS, width=40, rows=4, places=2) for cell in ("lstm", "vanilla")]
    small = model_of(cell="vanilla")
    small.rnn.layers[0].cell.recurrent_kernel[...] = 0.5 * small.rnn.layers[0].cell.recurrent_kernel[...]
    shrunk = gradient_flow(small, TOKENS, width=40, rows=4, places=2, clip_norm=1e-6)
    assert flows[0].norms[-1] > flows[1].norms[-1] > shrunk.norms[-1]
    assert "vanish" in shrunk.diagnosis
    assert shrunk.clipped == 1
    assert flows[1].recurrent[0][0] == pytest.approx(1, abs=1e-4)  # an orthogonal start


@pytest.mark.parametrize("look", [surprise, trace, gradient_flow, detectors])
def test_too_little_text_is_refused(lstm, look):
    with pytest.raises(UserError, match="give"):
        look(lstm, TOKENS[:0])
