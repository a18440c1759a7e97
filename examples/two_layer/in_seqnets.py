"""seqnets: a task says what a batch and a loss are; `sn.fit` does the rest, which includes saving and resuming."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array

import seqnets as sn
from problem import RATE, STEPS, C, D, H, N, problem, report


class Regression:
    """A model, and the one batch that it fits: a `seqnets.train.Task`."""

    name, objective, maximize, units = "regression", "loss", False, "rows"

    def __init__(self, model: nnx.Module, x: np.ndarray, y: np.ndarray):
        self.model, self.data = model, {"x": x.astype(np.float32), "y": y.astype(np.float32)}

    def batches(self, batch_size: int, seed: int, rows: slice | np.ndarray = slice(None)) -> "Regression":
        """Return the source of batches, which is the task itself."""
        return self

    def batch(self, step: int) -> dict[str, np.ndarray]:
        """Return the batch of a step: always the same."""
        return self.data

    def units_per_step(self, batch_size: int) -> int:
        """Return the rows of a batch."""
        return batch_size

    def initial_carry(self, batch_size: int) -> tuple[()]:
        """Return nothing: no state goes from step to step."""
        return ()

    def loss(self, model: Any, batch: dict[str, Array], carry: tuple[()], key: Array) -> tuple[Array, Any]:
        """Return the sum of the squared errors."""
        loss = jnp.sum(jnp.square(model(batch["x"]) - batch["y"]))
        return loss, (carry, {"squares": loss})

    def evaluate(self, model: nnx.Module, split: str) -> Mapping[str, float]:
        """Return nothing: there is no held-out part."""
        return {}

    def fingerprint(self) -> Mapping[str, str | int | float]:
        """Return what must not change when a run is resumed."""
        return {"sum of x": float(self.data["x"].sum())}

    def preview(self, model: nnx.Module, seed: int) -> str:
        """Return nothing to show."""
        return ""

    def artifacts(self) -> Mapping[str, Any]:
        """Return what loading needs besides weights."""
        return {}


def losses(steps: int = STEPS) -> list[float]:
    """Train and return the loss before each step."""
    x, y, w1, w2 = problem()
    first, second = (sn.nn.Dense(*sizes, use_bias=False, rngs=nnx.Rngs(0)) for sizes in ((D, H), (H, C)))
    first.kernel[...], second.kernel[...] = jnp.asarray(w1, jnp.float32), jnp.asarray(w2, jnp.float32)
    task = Regression(sn.nn.Chain([first, jax.nn.relu, second]), x, y)
    plain = {"optimizer": "sgd", "momentum": 0.0, "schedule": "constant", "clip_norm": 0.0}
    run = sn.fit(task, sn.TrainConfig(steps=steps, batch_size=N, learning_rate=RATE, log_every=1, **plain), progress=None)
    return [line["squares"] for line in run.metrics if "squares" in line]


if __name__ == "__main__":
    report(losses)
