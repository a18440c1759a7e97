"""A task that has nothing to do with characters, small enough to train in a test; also a program that trains it.

It learns to predict y = A x + 0.5 m, where m is the mean of the batches before it, kept in the carry. The model has a
statistic that is not a parameter, and its loss draws noise from the key, so every part of the state matters.
"""

import os
import sys
from dataclasses import dataclass, field

os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from seqnets import TrainConfig
from seqnets.train import fit
from seqnets.train.progress import PlainLines

TEACHER = np.random.default_rng(9).normal(size=(3, 2)).astype(np.float32)


class TinyModel(nnx.Module):
    def __init__(self, features: int = 3):
        self.kernel = nnx.Param(jnp.zeros((features, 2)))
        self.bias = nnx.Param(jnp.full(2, 0.1))
        self.seen = nnx.BatchStat(jnp.zeros(features))


@dataclass(frozen=True)
class TinyBatches:
    batch_size: int
    seed: int
    bad: frozenset[int] = frozenset()
    harm: float = np.nan

    def batch(self, step: int) -> dict[str, np.ndarray]:
        x = np.random.default_rng([self.seed, step]).normal(size=(self.batch_size, 3)).astype(np.float32)
        y = x @ TEACHER
        return {"x": x, "y": y * np.float32(self.harm) if step in self.bad else y}


@dataclass
class TinyTask:
    model: TinyModel = field(default_factory=TinyModel)
    bad: frozenset[int] = frozenset()
    harm: float = np.nan
    rows: int = 64
    maximize: bool = False
    slow: float = 0.0
    name, objective, units = "tiny", "error", "examples"

    def batches(self, batch_size, seed, rows=slice(None)):
        return TinyBatches(batch_size, seed, self.bad, self.harm)

    def units_per_step(self, batch_size):
        return batch_size

    def initial_carry(self, batch_size):
        return jnp.zeros(3)

    def loss(self, model, batch, carry, key):
        noise = 0.01 * jax.random.normal(key, batch["y"].shape)
        guess = batch["x"] @ model.kernel[...] + model.bias[...][None] + 0.5 * (carry @ model.kernel[...])[None]
        model.seen[...] = 0.9 * model.seen[...] + 0.1 * batch["x"].mean(0)
        error = jnp.mean(jnp.square(guess - batch["y"] + noise))
        return error, (0.9 * carry + 0.1 * batch["x"].mean(0), {"error": error})

    def evaluate(self, model, split):
        import time

        time.sleep(self.slow)
        x = np.random.default_rng(1).normal(size=(self.rows, 3)).astype(np.float32)
        error = float(np.square(x @ np.asarray(model.kernel[...]) - x @ TEACHER).mean())
        return {"error": -error if self.maximize else error}

    def fingerprint(self):
        return {"rows": self.rows}

    def preview(self, model, seed):
        return "a preview"

    def artifacts(self):
        return {"model": {"kind": "Tiny", "config": {"features": 3}}}


def build(description, vocabulary):
    return TinyModel(**description["config"])


def main(directory: str, steps: str, *words: str) -> None:
    slow = "slow-evaluation" in words
    schedule = "constant" if "constant" in words else "cosine"
    config = TrainConfig(
        steps=int(steps),
        schedule=schedule,
        batch_size=4,
        learning_rate=0.05,
        averaging=0.9,
        log_every=7,
        save_every=20,
        evaluate_every=30,
    )
    try:
        fit(TinyTask(slow=60.0 if slow else 0.0), config, directory=directory, progress=PlainLines(interval=0.0))
    except KeyboardInterrupt as stopped:
        print(stopped, file=sys.stderr)
        raise SystemExit(stopped.exit_code) from None


def run(errors: str, *words: str) -> None:
    """Train as `main`, in a process that was forked: with standard error in a file."""
    os.dup2(os.open(errors, os.O_WRONLY | os.O_CREAT | os.O_APPEND), 2)
    print("ready", file=sys.stderr, flush=True)
    main(*words)


if __name__ == "__main__":
    main(*sys.argv[1:])
