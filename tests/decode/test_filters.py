import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqnets.decode.filters import Filters, draw, filtered, filters_of, keep_min_p, keep_top_k, keep_top_p, penalize
from seqnets.decode.text.sampling import SamplingConfig

LOGITS = np.random.default_rng(0).normal(size=(20, 13)).astype(np.float32) * 3


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def naive_top_k(row, k):
    kept = sorted(range(len(row)), key=lambda i: -row[i])[:k]  # of equal ones the first
    return np.array([x if i in kept else -np.inf for i, x in enumerate(row)])


def naive_top_p(row, p):
    probabilities, total, kept = softmax(row.astype(np.float64)), 0.0, set()
    for i in np.argsort(-probabilities):
        kept.add(i)
        total += probabilities[i]
        if total >= p:
            break
    return np.array([x if i in kept else -np.inf for i, x in enumerate(row)])


def naive_min_p(row, p):
    probabilities = softmax(row.astype(np.float64))
    return np.where(probabilities >= p * probabilities.max(), row, -np.inf)


def naive_penalty(row, recent, penalty):
    out = row.copy()
    for token in {t for t in recent if t >= 0}:
        out[token] = out[token] / penalty if out[token] > 0 else out[token] * penalty
    return out


@pytest.mark.parametrize("k", [1, 3, 12, 13, 40])
def test_top_k(k):
    np.testing.assert_array_equal(keep_top_k(jnp.asarray(LOGITS), jnp.int32(k)), [naive_top_k(row, k) for row in LOGITS])


@pytest.mark.parametrize("p", [0.01, 0.3, 0.77, 0.95, 1.0])
def test_top_p(p):
    np.testing.assert_array_equal(keep_top_p(jnp.asarray(LOGITS), jnp.float32(p)), [naive_top_p(row, p) for row in LOGITS])


@pytest.mark.parametrize(
    ("probabilities", "p", "kept"),
    [
        ([0.3, 0.1, 0.1, 0.5], 0.8, [0, 3]),
        ([0.1] * 10, 0.35, [0, 1, 2, 3]),
        ([0.25, 0.5, 0.25], 0.5, [1]),  # reached exactly: not one more
        ([0.25, 0.5, 0.25], 0.75, [0, 1]),
        ([0.25, 0.25, 0.25, 0.25], 0.5, [0, 1]),
        ([0.5, 0.3, 0.2], 0.500001, [0]),  # within the rounding of the sum
        ([0.5, 0.3, 0.2], 0.51, [0, 1]),
        ([0.5, 0.3, 0.2], 1e-9, [0]),
        ([1 - 3e-8, 1e-8, 1e-8, 1e-8], 1.0, [0, 1, 2, 3]),
        ([1 - 3e-8, 1e-8, 1e-8, 1e-8], 0.999, [0]),
    ],
)
def test_top_p_keeps_the_smallest_set(probabilities, p, kept):
    found = keep_top_p(jnp.log(jnp.asarray([probabilities])), jnp.float32(p))
    assert np.flatnonzero(np.isfinite(found[0])).tolist() == kept


def test_of_equal_logits_top_k_keeps_k():
    logits = jnp.asarray([[2.0, 1.0, 2.0, 2.0, 3.0], [1.0, 1.0, 1.0, 1.0, -np.inf]])
    assert np.isfinite(keep_top_k(logits, jnp.int32(2))).tolist() == [
        [True, False, False, False, True],
        [True, True, *[False] * 3],
    ]
    assert np.isfinite(keep_top_k(logits, jnp.int32(5)))[1].tolist() == [True] * 4 + [False]


def test_settings_beyond_every_number_are_clamped():
    filters = filters_of(SamplingConfig(temperature=1e300, top_k=10**12, repetition_penalty=1e300))
    got = filtered(filters, jnp.asarray([[3.0, -1.0, 2.0]]), jnp.zeros((1, 0), jnp.int32))
    np.testing.assert_allclose(got, 0, atol=1e-30)


@pytest.mark.parametrize("p", [0.001, 0.1, 0.5, 1.0])
def test_min_p(p):
    np.testing.assert_array_equal(keep_min_p(jnp.asarray(LOGITS), jnp.float32(p)), [naive_min_p(row, p) for row in LOGITS])


@pytest.mark.parametrize("penalty", [0.7, 1.0, 1.5])
def test_penalty_touches_what_was_seen_once_however_often_it_was(penalty):
    recent = np.random.default_rng(1).integers(-1, 13, (20, 6))
    expected = [naive_penalty(row, seen, np.float32(penalty)) for row, seen in zip(LOGITS, recent)]
    np.testing.assert_allclose(penalize(jnp.asarray(LOGITS), jnp.asarray(recent), jnp.float32(penalty)), expected, rtol=1e-6)


def test_each_filter_sees_what_the_one_before_left():
    filters = Filters(jnp.float32(0.7), jnp.float32(1.3), jnp.int32(6), jnp.float32(0.8), jnp.float32(0.2))
    recent = np.random.default_rng(2).integers(0, 13, (20, 4))
    got = filtered(filters, jnp.asarray(LOGITS), jnp.asarray(recent))
    for row, seen, result in zip(LOGITS, recent, np.asarray(got)):
        expected = naive_penalty(row, seen, np.float32(1.3)) / np.float32(0.7)
        expected = naive_min_p(naive_top_p(naive_top_k(expected, 6), 0.8), 0.2)
        np.testing.assert_allclose(result, expected, rtol=1e-6)


@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.5])
def test_draws_follow_the_softmax_at_the_temperature(temperature):
    draws, row = 40_000, LOGITS[0]
    filters = Filters(jnp.float32(temperature))
    logits = filtered(filters, jnp.broadcast_to(row, (draws, 13)), jnp.zeros((draws, 0), jnp.int32))
    tokens = draw(filters, logits, jax.random.gumbel(jax.random.key(0), (draws, 13)))
    expected = softmax(row.astype(np.float64) / temperature)
    deviation = np.sqrt(expected * (1 - expected) / draws)
    assert (np.abs(np.bincount(tokens, minlength=13) / draws - expected) < 4.5 * deviation + 1e-4).all()


def test_temperature_zero_is_the_argmax_even_between_neighboring_floats():
    row = np.float32(7.3)
    logits = jnp.array([[row, np.nextafter(row, np.float32(8)), row]])
    filters = Filters(jnp.float32(0), None, jnp.int32(2), jnp.float32(0.5), jnp.float32(0.5))
    noise = jax.random.gumbel(jax.random.key(0), (1, 3)) * 100
    assert draw(filters, filtered(filters, logits, jnp.zeros((1, 0), jnp.int32)), noise).tolist() == [1]
