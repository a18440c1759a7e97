"""The parts of a captioner's loss against loops in float64, and REINFORCE against the expectation it estimates."""

import itertools
import math
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqnets.data import WordVocabulary
from seqnets.models.captioner.decoder import Reading
from seqnets.ops.caption_loss import attention_entropy, doubly_stochastic_penalty, location_log_prob, word_nats
from seqnets.tasks.captioner.learning import CaptionLearning
from seqnets.tasks.captioner.objectives import leave_one_out, read_with_own_words, reading_objective

B, T, L, V = 3, 4, 5, 6


@pytest.fixture
def attention():
    scores = np.random.default_rng(0).normal(size=(B, T, L))
    return (np.exp(scores) / np.exp(scores).sum(-1, keepdims=True)).astype(np.float32)


LENGTHS = np.array([4, 1, 3], np.int32)


def test_every_sum_is_the_loop_over_words_that_count(attention):
    rng = np.random.default_rng(1)
    logits, targets, where = rng.normal(size=(B, T, V)), rng.integers(V, size=(B, T)), rng.integers(L, size=(B, T))
    n = jnp.asarray(LENGTHS)
    nats = word_nats(jnp.asarray(logits, jnp.float32), jnp.asarray(targets), n)
    found = {
        "penalty": doubly_stochastic_penalty(jnp.asarray(attention), n),
        "log_prob": location_log_prob(jnp.asarray(attention), jnp.asarray(where), n),
        "entropy": attention_entropy(jnp.asarray(attention), n),
    }
    for b, length in enumerate(LENGTHS):
        for t in range(T):
            expected = math.log(sum(math.exp(x) for x in logits[b, t])) - logits[b, t, targets[b, t]] if t < length else 0
            assert float(nats[b, t]) == pytest.approx(expected, abs=1e-5)
        a = attention[b].astype(np.float64)
        assert float(found["penalty"][b]) == pytest.approx(sum((1 - a[:length, i].sum()) ** 2 for i in range(L)), abs=1e-5)
        assert float(found["log_prob"][b]) == pytest.approx(sum(math.log(a[t, where[b, t]]) for t in range(length)), abs=1e-5)
        assert float(found["entropy"][b]) == pytest.approx(-(a[:length] * np.log(a[:length])).sum(), abs=1e-5)


def objective(reading, targets, learning, repeats=1, baseline=0.0, extra=0):
    pad = ((0, 0), (0, extra))
    reading = Reading(*(None if part is None else jnp.concatenate([jnp.asarray(part)] * repeats) for part in reading))
    wide = [None if part is None else jnp.pad(part, (*pad, (0, 0))[: part.ndim]) for part in reading[:3]]
    targets = jnp.pad(jnp.concatenate([jnp.asarray(targets)] * repeats), pad)
    n = jnp.concatenate([jnp.asarray(LENGTHS)] * repeats)
    return reading_objective(Reading(*wide, reading.expected), targets, n, jnp.float32(baseline), learning)[0]


def test_a_weight_means_the_same_at_any_batch_size_and_padding(attention):
    logits = np.random.default_rng(2).normal(size=(B, T, V)).astype(np.float32)
    targets, learning = np.zeros((B, T), np.int32), CaptionLearning(regularizer=0.8)
    one = objective((logits, attention, None, None), targets, learning)
    assert float(objective((logits, attention, None, None), targets, learning, repeats=4)) == pytest.approx(float(one), rel=1e-5)
    assert float(objective((logits, attention, None, None), targets, learning, extra=7)) == pytest.approx(float(one), rel=1e-5)
    assert float(one) != pytest.approx(
        float(objective((logits, attention, None, None), targets, CaptionLearning(regularizer=0.0)))
    )


@pytest.mark.parametrize("baseline", [0.0, 1.7])
def test_reinforce_is_the_gradient_of_the_expected_loss(baseline):
    # two words, three locations: all nine pairs of looks are visited, each with its probability
    rng = np.random.default_rng(3)
    table, policy = jnp.asarray(rng.normal(size=(2, 3, V)), jnp.float32), jnp.asarray(rng.normal(size=(2, 3)), jnp.float32)
    targets, lengths = jnp.array([[1, 4]]), jnp.array([2])
    looks = jnp.array(list(itertools.product(range(3), repeat=2)))

    def logits_of(weights, look):
        return jnp.stack([weights["table"][t, look[t]] for t in range(2)])[None]

    def expected_loss(weights):
        shares = jax.nn.softmax(weights["policy"])
        losses = [word_nats(logits_of(weights, look), targets, lengths).sum() for look in looks]
        return sum(shares[0, look[0]] * shares[1, look[1]] * loss for look, loss in zip(looks, losses)) / 2

    def estimate(weights, look):
        shares = jax.nn.softmax(weights["policy"])[None]
        reading = Reading(logits_of(weights, look), shares, look[None], jnp.array([False]))
        learning = CaptionLearning(score_rate=1.0, entropy=0.0)
        return reading_objective(reading, targets, lengths, jnp.float32(baseline), learning)[0]

    weights = {"table": table, "policy": policy}
    shares = jax.nn.softmax(policy)
    drawn = [jax.tree.map(lambda g, p=shares[0, a] * shares[1, b]: p * g, jax.grad(estimate)(weights, jnp.array([a, b])))
             for a, b in looks.tolist()]  # fmt: skip
    mean = jax.tree.map(lambda *parts: sum(parts), *drawn)
    exact = jax.grad(expected_loss)(weights)
    for name in weights:
        np.testing.assert_allclose(mean[name], exact[name], atol=1e-5)
    assert float(jnp.abs(exact["policy"]).max()) > 1e-2


def test_rows_that_read_the_mean_have_no_score_term(attention):
    logits = np.random.default_rng(2).normal(size=(B, T, V)).astype(np.float32)
    where, learning = np.zeros((B, T), np.int32), CaptionLearning(entropy=0.0)

    def loss(shares, expected):
        return objective((logits, shares, where, np.full(B, expected)), np.zeros((B, T), np.int32), learning)

    assert not np.asarray(jax.grad(loss)(jnp.asarray(attention), True)).any()
    assert np.asarray(jax.grad(loss)(jnp.asarray(attention), False)).any()


def test_a_reward_is_compared_with_the_others_of_its_image():
    rewards = np.random.default_rng(0).normal(size=12).astype(np.float32)
    expected = [np.delete(rewards[i - i % 4 : i - i % 4 + 4], i % 4).mean() for i in range(12)]
    np.testing.assert_allclose(leave_one_out(jnp.asarray(rewards), 4), expected, rtol=1e-5)


def test_scheduled_sampling_reads_words_only():
    """A model that would say special tokens alone, and writes down what it is given."""
    vocabulary = WordVocabulary(("a", "b"))
    special = jnp.array([vocabulary.pad, vocabulary.begin, vocabulary.end, vocabulary.unknown])

    def step(tokens, carry, _):
        return jnp.zeros((len(tokens), len(vocabulary))).at[:, special].set(50.0), carry, tokens[:, None].astype(jnp.float32)

    model = SimpleNamespace(vocabulary=vocabulary, step=step, initialize_carry=lambda _: jnp.zeros((8, 1)))
    tokens = jnp.full((8, 6), vocabulary.begin)
    read = read_with_own_words(model, (), tokens, jnp.float32(1.0), jax.random.key(0)).attention[:, 1:, 0]
    assert set(np.asarray(read, int).ravel()) == {int(t) for t in vocabulary.encode("a b")}
