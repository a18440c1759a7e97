"""A linear recurrence over all steps at once gives what it gives step by step."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from numerics import assert_close
from seqnets.errors import UserError
from seqnets.ops.backends import parallel
from seqnets.ops.over_time import sequence
from seqnets.ops.recurrent import LSTM, MIN_LSTM, LSTMState, RecurrentWeights

B, H = 3, 4


def terms(steps):
    rng = np.random.default_rng(steps)
    return rng.random((steps, B, H)), rng.normal(size=(steps, B, H)), rng.normal(size=(B, H))


@pytest.mark.parametrize("steps", [1, 2, 13, 64])
@pytest.mark.parametrize("accumulate", [parallel.in_rounds, parallel.one_by_one, parallel.accumulate])
def test_equals_naive_loop(accumulate, steps):
    decay, added, hidden = terms(steps)
    expected = []
    for d, a in zip(decay, added):
        hidden = d * hidden + a
        expected.append(hidden)
    with jax.enable_x64(True):
        assert_close(accumulate(*map(jnp.asarray, terms(steps))), np.stack(expected), "float64")


def test_gradient():
    with jax.enable_x64(True):
        check_grads(parallel.accumulate, tuple(map(jnp.asarray, terms(5))), order=1, modes=["rev"])


def test_gates_far_out_stay_finite():
    far = jnp.array([[-200.0, 200.0, 1.0], [-200.0, -200.0, 1.0], [200.0, -200.0, 1.0]])
    decay, added = MIN_LSTM["tanh"].linear(far)
    np.testing.assert_allclose(decay[:, 0], [0, 0.5, 1], atol=1e-6)
    assert np.isfinite(added).all()


def test_what_is_not_linear_is_refused():
    state = LSTMState(jnp.zeros((1, 2)), jnp.zeros((1, 2)))
    weights = RecurrentWeights((jnp.zeros((2, 8)),), {})
    with pytest.raises(UserError, match="lstm is not linear in its state"):
        sequence(LSTM, weights, state, jnp.zeros((3, 1, 8)), backend="parallel")
