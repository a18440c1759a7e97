"""What the machine's matrix products and its memory reach: the floor under the time of every recurrence."""

import os
import time
from concurrent.futures import ThreadPoolExecutor

import jax
import jax.numpy as jnp
import numpy as np


def matrix_rate(rows: int, depth: int, columns: int, repeats: int = 5) -> float:
    """Return the best rate of a float32 product, in GF/s."""
    left, right = jnp.ones((rows, depth)), jnp.ones((depth, columns))
    product = jax.jit(jnp.matmul)
    product(left, right).block_until_ready()
    best = min(_seconds(lambda: product(left, right).block_until_ready()) for _ in range(repeats))
    return 2.0 * rows * depth * columns / best / 1e9


def reading_seconds(numbers: int, repeats: int = 5) -> float:
    """Return the least time in which all cores together read so many float32 numbers."""
    parts = np.array_split(np.ones(numbers, np.float32), os.cpu_count() or 1)

    def read(part: np.ndarray) -> None:
        for _ in range(100):
            part.max()  # of NumPy's reductions, the one that reads fastest: by half again as fast as its products

    with ThreadPoolExecutor(len(parts)) as pool:
        return min(_seconds(lambda: list(pool.map(read, parts))) for _ in range(repeats)) / 100


def _seconds(run) -> float:
    begin = time.perf_counter()
    run()
    return time.perf_counter() - begin
