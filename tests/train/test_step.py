"""One step against NumPy, and what a step must leave alone."""

import logging

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from seqnets import TrainConfig
from seqnets.named_arrays import host_arrays
from seqnets.train.feed import Dispatch, stacked_batches
from seqnets.train.state import initial_state
from seqnets.train.step import compile_steps


class Line(nnx.Module):
    def __init__(self):
        self.kernel = nnx.Param(jnp.array([[0.5], [-0.25]]))


class LineTask:
    """Least squares on given rows: its gradient is known in closed form."""

    def __init__(self, xs, ys):
        self.model, self.xs, self.ys = Line(), xs, ys

    def initial_carry(self, batch_size):
        return ()

    def loss(self, model, batch, carry, key):
        x, y = batch
        return jnp.mean(jnp.square(x @ model.kernel[...] - y)), ((), {})


def run_steps(task, config, batches, count):
    graphdef, state = initial_state(task, config)
    steps = compile_steps(task, graphdef, config, state, batches)
    return steps(state, batches, np.int32(count))


def test_steps_equal_gradient_descent_and_its_average_in_float64():
    rng = np.random.default_rng(0)
    xs, ys = rng.normal(size=(5, 8, 2)).astype(np.float32), rng.normal(size=(5, 8, 1)).astype(np.float32)
    config = TrainConfig(
        steps=5, optimizer="sgd", momentum=0.0, clip_norm=0.0, schedule="constant", learning_rate=0.1, averaging=0.6
    )
    state, metrics = run_steps(LineTask(xs, ys), config, (xs, ys), 5)
    w = average = np.array([[0.5], [-0.25]])
    for n, (x, y) in enumerate(zip(xs.astype(np.float64), ys)):
        gradient = 2 * x.T @ (x @ w - y) / 8
        np.testing.assert_allclose(metrics["loss"][n], np.mean((x @ w - y) ** 2), rtol=1e-5)
        np.testing.assert_allclose(metrics["gradient_norm"][n], np.sqrt((gradient**2).sum()), rtol=1e-5)
        w = w - 0.1 * gradient
        kept = min(0.6, (n + 1) / (n + 10))
        average = kept * average + (1 - kept) * w
    np.testing.assert_allclose(state.params["kernel"][...], w, rtol=1e-5)
    np.testing.assert_allclose(state.average["kernel"][...], average, rtol=1e-5)


def steps_of(tiny, config, dispatches, bad=frozenset()):
    task = tiny.TinyTask(bad=frozenset(bad))
    graphdef, state = initial_state(task, config)
    size, source, steps, seen = max(1, config.steps_per_dispatch), task.batches(4, 0), None, []
    for dispatch in dispatches:
        batches = stacked_batches(source, dispatch, size)
        steps = steps or compile_steps(task, graphdef, config, state, batches)
        state, metrics = steps(state, batches, np.int32(dispatch.count))
        seen.append(jax.device_get(metrics))
    return host_arrays(state), seen


def assert_equal_bits(one, other):
    assert one.keys() == other.keys()
    different = [name for name in one if one[name].tobytes() != other[name].tobytes()]
    assert not different


@pytest.mark.parametrize("size", [2, 7, 16])
def test_steps_per_dispatch_change_no_bit(tiny, size):
    config = TrainConfig(steps=13, batch_size=4, averaging=0.9)
    single, _ = steps_of(tiny, config, [Dispatch(i, 1) for i in range(13)])
    plan = [Dispatch(i, min(size, 13 - i)) for i in range(0, 13, size)]
    several, _ = steps_of(tiny, TrainConfig(steps=13, batch_size=4, averaging=0.9, steps_per_dispatch=size), plan)
    assert_equal_bits(single, several)


@pytest.mark.parametrize("name", ["sgd", "rmsprop", "adam", "adamw"])
def test_a_bad_step_changes_nothing_but_the_counts(tiny, name):
    config = TrainConfig(steps=6, batch_size=4, averaging=0.9, optimizer=name, schedule="constant")
    before, _ = steps_of(tiny, config, [Dispatch(0, 1), Dispatch(1, 1), Dispatch(2, 1)])
    after, seen = steps_of(tiny, config, [Dispatch(i, 1) for i in range(5)], bad={3, 4})
    assert (before.pop("step"), after.pop("step")) == (3, 5)
    assert (before.pop("bad_streak"), after.pop("bad_streak")) == (0, 2)
    assert_equal_bits(before, after)
    assert [int(metrics["bad_streak"][0]) for metrics in seen] == [0, 0, 0, 1, 2]


def test_a_gradient_whose_square_overflows_is_bad():
    xs, ys = np.full((1, 1, 2), 1e19, np.float32), np.full((1, 1, 1), 1.0, np.float32)
    config = TrainConfig(steps=1, schedule="constant")
    state, metrics = run_steps(LineTask(xs, ys), config, (xs, ys), 1)
    assert int(metrics["bad_streak"][0]) == 1
    np.testing.assert_array_equal(state.params["kernel"][...], [[0.5], [-0.25]])


class SlopeTask(LineTask):
    """A plane that falls as steeply as the batch says, which is then the norm of the gradient; and noise from the key."""

    def __init__(self):
        self.model = Line()

    def loss(self, model, batch, carry, key):
        return jnp.sum(model.kernel[...]) * batch[0] / np.sqrt(2).astype(np.float32), ((), {"noise": jax.random.uniform(key)})


def slopes(steepness, **settings):
    batches = np.asarray(steepness, np.float32)[:, None]
    config = TrainConfig(
        steps=len(steepness), optimizer="sgd", schedule="constant", clip_norm=0.0, learning_rate=1e-3, **settings
    )
    return jax.device_get(run_steps(SlopeTask(), config, batches, len(steepness))[1])


@pytest.mark.parametrize("usual", [1e-3, 1.0, 1e3])
def test_a_spike_is_measured_by_the_gradients_before_it(usual):
    early, later = [1, 1, 50], [1] * 400  # the first steps are no measure
    steepness = usual * np.array([*early, *later, 4.6, 4.3, 1, 9, 1])
    bad = slopes(steepness, max_spike=4.5)["bad_streak"]
    first = len(early) + len(later)
    assert np.flatnonzero(bad).tolist() == [first, first + 3]
    assert not slopes(steepness)["bad_streak"].any()


def test_each_step_has_noise_of_its_own_and_a_seed_repeats_it():
    noise = [slopes([1.0] * 8, seed=seed)["noise"].tolist() for seed in (0, 0, 1)]
    assert noise[0] == noise[1]
    assert len({*noise[0], *noise[2]}) == 16


def test_a_good_step_ends_the_streak(tiny):
    _, seen = steps_of(tiny, TrainConfig(steps=6, batch_size=4), [Dispatch(i, 1) for i in range(5)], bad={1, 2})
    assert [int(metrics["bad_streak"][0]) for metrics in seen] == [0, 1, 2, 0, 0]


def test_training_compiles_its_step_once(trained, caplog):
    with jax.log_compiles(), caplog.at_level(logging.WARNING, logger="jax"):
        trained(steps=23, steps_per_dispatch=4, evaluate_every=10)
    compiled = [record.getMessage() for record in caplog.records if "Finished XLA compilation" in record.getMessage()]
    assert sum("train_steps" in message for message in compiled) == 1


def test_the_model_given_is_left_as_it_was(tiny, trained):
    task = tiny.TinyTask()
    run = trained(task=task)
    np.testing.assert_array_equal(task.model.kernel[...], np.zeros((3, 2)))
    assert np.abs(np.asarray(run.model.kernel[...])).min() > 0.01


@pytest.mark.parametrize(("first", "count", "size"), [(500, 16, 16), (7, 3, 8), (0, 1, 1)])
def test_the_batches_of_a_dispatch_are_asked_for_in_order_and_once(first, count, size):
    asked = []

    class Source:
        def batch(self, step):
            asked.append(step)
            return np.array([step])

    stacked = stacked_batches(Source(), Dispatch(first, count), size)
    assert asked == list(range(first, first + count))
    assert stacked[:count, 0].tolist() == asked
