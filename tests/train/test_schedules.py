"""Learning rates against their formulas, written out for a single step."""

import math

import jax.numpy as jnp
import optax
import pytest

from seqnets.train.config import TrainConfig
from seqnets.train.schedules import learning_rate_schedule, plateau_rule

FORMULAS = {
    "constant": lambda t: 0.5,
    "cosine": lambda t: 0.5 * (0.1 + 0.9 * (1 + math.cos(math.pi * min(t, 70) / 70)) / 2),
    "exponential": lambda t: 0.5 * max(0.1, 0.3 ** (t / 20)),
    "step": lambda t: 0.5 * max(0.1, 0.3 ** (t // 20)),
    "plateau": lambda t: 0.5,
}


@pytest.mark.parametrize("name", FORMULAS)
@pytest.mark.parametrize("warmup", [0, 10])
def test_schedule_follows_its_formula(name, warmup):
    decay = 70 + warmup if name == "cosine" else 20
    rate = learning_rate_schedule(
        TrainConfig(
            steps=200, schedule=name, learning_rate=0.5, warmup_steps=warmup, decay_steps=decay, decay_rate=0.3, floor=0.1
        )
    )
    for step in (0, 4, warmup, 19 + warmup, 20 + warmup, 55, 79, 150, 10**6):
        expected = 0.5 * (step + 1) / warmup if step < warmup else FORMULAS[name](step - warmup)
        assert float(rate(jnp.int32(step))) == pytest.approx(expected, rel=1e-5)


def test_cosine_ends_at_the_last_step_by_default():
    rate = learning_rate_schedule(TrainConfig(steps=100, warmup_steps=20, floor=0.05, learning_rate=1.0))
    assert float(rate(100)) == pytest.approx(0.05)
    assert float(rate(60)) == pytest.approx(0.525)


def test_plateau_divides_after_the_patience_and_counts_afresh():
    rule = plateau_rule(TrainConfig(schedule="plateau", plateau_factor=0.1, plateau_patience=2))
    state, scales = rule.init(jnp.float32(0)), []
    for value in (3.0, 2.0, 2.0, 2.1, 1.0, 1.5, 1.2, 1.1, 1.3):
        _, state = rule.update((), state, value=jnp.float32(value))
        scales.append(round(float(state.scale), 6))
    assert scales == [1, 1, 1, 0.1, 0.1, 0.1, 0.01, 0.01, 0.001]


@pytest.mark.parametrize("figure", [0.5, -0.5])
def test_a_figure_that_stays_lowers_the_rate_whatever_its_sign(figure):
    rule = plateau_rule(TrainConfig(schedule="plateau", plateau_factor=0.1, plateau_patience=3))
    state = rule.init(jnp.float32(0))
    for _ in range(5):
        _, state = rule.update(optax.EmptyState(), state, value=jnp.float32(figure))
    assert float(state.scale) == pytest.approx(0.1)


@pytest.mark.parametrize("name", ["exponential", "step"])
@pytest.mark.parametrize("floor", [0.0, 0.3])
def test_a_decay_of_one_keeps_the_rate(name, floor):
    config = TrainConfig(steps=100, schedule=name, learning_rate=0.5, decay_rate=1.0, warmup_steps=4, floor=floor)
    rate = learning_rate_schedule(config)
    assert [float(rate(step)) for step in (0, 3, 4, 50, 10**6)] == pytest.approx([0.125, 0.5, 0.5, 0.5, 0.5])
