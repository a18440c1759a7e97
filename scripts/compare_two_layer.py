"""Time the two-layer network of `examples/two_layer` in each library, and JAX's program built in several ways.

    python scripts/compare_two_layer.py            # a table in Markdown: microseconds per step

Each line is timed in turns, round after round; the figures are medians, with the range. Processor time adds up all threads and
hardly depends on what else the machine does; the clock does. Compilation comes before the first round and has its own column.
"""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1] / "examples" / "two_layer"))

import jax
import jax.numpy as jnp
import numpy as np

import in_flax
import in_jax
import in_numpy
from problem import RATE

RATES = jnp.asarray(RATE * np.linspace(0.3, 1.0, 8), jnp.float32)


def works(steps: int) -> dict[str, Callable[[], object]]:
    """Return what is timed, by name; each makes this many steps (of each of eight networks, where it says so)."""
    weights, x, y = in_jax.begin()
    compiled = jax.jit(in_jax.step)
    scan = jax.jit(in_jax.train, static_argnames="steps")
    many = jax.jit(jax.vmap(in_jax.train, in_axes=(None, None, None, None, 0)), static_argnames="steps", static_argnums=3)

    def one_by_one(step: Callable, read: bool = False) -> Callable[[], object]:
        def run() -> object:
            state, loss = weights, None
            for _ in range(steps):
                state, loss = step(state, x, y)
                if read:
                    float(loss)
            return jax.block_until_ready((state, loss))

        return run

    return {
        "NumPy, float64": lambda: in_numpy.losses(steps),
        **_torch(steps),
        "JAX, every operation by itself": one_by_one(in_jax.step),
        "JAX, `jit` of a step": one_by_one(compiled),
        "JAX, `jit` of a step, loss read at every step": one_by_one(compiled, read=True),
        "JAX, `jit` of a `scan` over all steps": lambda: jax.block_until_ready(scan(weights, x, y, steps)),
        "Flax, `nnx.jit` of a step": lambda: in_flax.losses(steps),
        "JAX, eight rates: eight scans": lambda: [jax.block_until_ready(scan(weights, x, y, steps, rate)) for rate in RATES],
        "JAX, eight rates: one `vmap` of the scan": lambda: jax.block_until_ready(many(weights, x, y, steps, RATES)),
    }


def _torch(steps: int) -> dict[str, Callable[[], object]]:
    try:
        import in_torch
        import in_torch_of_2017
    except ImportError:
        return {}
    return {
        "PyTorch of 2017": lambda: in_torch_of_2017.losses(steps),
        "PyTorch, `nn` and `optim`": lambda: in_torch.losses(steps),
    }


class Took(NamedTuple):
    """Seconds of processor and of clock."""

    processor: float
    clock: float

    @classmethod
    def by(cls, work: Callable[[], object]) -> "Took":
        """Time one call."""
        processor, clock = time.process_time(), time.perf_counter()
        work()
        return cls(time.process_time() - processor, time.perf_counter() - clock)


def main(options: argparse.Namespace) -> None:
    """Time everything and print the table."""
    named = works(options.steps)
    first = {name: Took.by(work) for name, work in named.items()}
    rounds: dict[str, list[Took]] = {name: [] for name in named}
    for _ in range(options.rounds):
        for name, work in named.items():
            rounds[name].append(Took.by(work))
    print(f"{options.steps} steps, {options.rounds} rounds, {jax.devices()[0].device_kind}; microseconds per step\n")
    print("| | first call, s | processor | clock |\n| --- | --- | --- | --- |")
    for name, times in rounds.items():
        processor, clock = (_figure([1e6 * value / options.steps for value in values]) for values in zip(*times))
        print(f"| {name} | {first[name].processor:.2f} | {processor} | {clock} |")


def _figure(values: list[float]) -> str:
    return f"{median(values):,.0f} ({min(values):,.0f} to {max(values):,.0f})"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=7)
    main(parser.parse_args())
