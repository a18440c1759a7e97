"""Steps that would do harm are left out, wherever they come."""

import jax
import numpy as np
import pytest

from seqnets import TrainConfig
from seqnets.named_arrays import host_arrays
from seqnets.train.feed import Dispatch, stacked_batches
from seqnets.train.state import initial_state
from seqnets.train.step import compile_steps
from train.tiny_task import TinyTask

STEPS = 120
BAD = frozenset(np.random.default_rng(4).choice(np.arange(30, STEPS), 20, replace=False).tolist())
COUNTS = ("step", "bad_streak")


@pytest.mark.parametrize("harm", [np.nan, np.inf, 1e25, 100.0], ids=["nan", "inf", "overflow", "spike"])
def test_twenty_bad_steps_touch_nothing(harm):
    # the rows differ from step to step, so that even good gradients vary; a hundredfold target is far outside of that
    config = TrainConfig(steps=STEPS, batch_size=16, optimizer="adam", schedule="constant", averaging=0.9, max_spike=10.0)
    task = TinyTask(bad=BAD, harm=harm)
    graphdef, state = initial_state(task, config)
    source, steps, left_out = task.batches(16, 0), None, set()
    for step in range(STEPS):
        batches = stacked_batches(source, Dispatch(step, 1), 1)
        steps = steps or compile_steps(task, graphdef, config, state, batches)
        before = host_arrays(state)
        state, metrics = steps(state, batches, np.int32(1))
        if jax.device_get(metrics["bad_streak"])[0]:
            left_out.add(step)
            after = host_arrays(state)
            changed = {name for name in before if before[name].tobytes() != after[name].tobytes()}
            assert changed == set(COUNTS)
    assert left_out == BAD
