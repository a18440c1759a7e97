"""What the machine's matrix products reach: the floor under the time of every recurrence."""

import time

import jax
import jax.numpy as jnp


def matrix_rate(rows: int, depth: int, columns: int, repeats: int = 5) -> float:
    """Return the best rate of a float32 product, in GF/s."""
    left, right = jnp.ones((rows, depth)), jnp.ones((depth, columns))
    product = jax.jit(jnp.matmul)
    product(left, right).block_until_ready()
    best = min(_seconds(lambda: product(left, right).block_until_ready()) for _ in range(repeats))
    return 2.0 * rows * depth * columns / best / 1e9


def _seconds(run) -> float:
    begin = time.perf_counter()
    run()
    return time.perf_counter() - begin
