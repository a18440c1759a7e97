"""Plain JAX: a loss is a function, its gradient another function, and `scan` makes one program of all steps."""

import jax
import jax.numpy as jnp
from jax import Array

from problem import RATE, STEPS, problem, report

Weights = dict[str, Array]


def loss_of(weights: Weights, x: Array, y: Array) -> Array:
    """Return the sum of the squared errors."""
    hidden = jax.nn.relu(x @ weights["w1"])
    return jnp.sum(jnp.square(hidden @ weights["w2"] - y))


def step(weights: Weights, x: Array, y: Array, rate: float | Array = RATE) -> tuple[Weights, Array]:
    """Return the weights after a step of gradient descent, and the loss before it."""
    loss, gradients = jax.value_and_grad(loss_of)(weights, x, y)
    return jax.tree.map(lambda weight, gradient: weight - rate * gradient, weights, gradients), loss


def begin() -> tuple[Weights, Array, Array]:
    """Return the first weights, x and y, on the device."""
    x, y, w1, w2 = (jnp.asarray(array, jnp.float32) for array in problem())
    return {"w1": w1, "w2": w2}, x, y


def train(weights: Weights, x: Array, y: Array, steps: int, rate: float | Array = RATE) -> tuple[Weights, Array]:
    """Make all steps in one loop; under `jit`, it runs on the device and the host waits once."""
    return jax.lax.scan(lambda weights, _: step(weights, x, y, rate), weights, length=steps)


def losses(steps: int = STEPS) -> list[float]:
    """Train and return the loss before each step."""
    _, found = jax.jit(train, static_argnames="steps")(*begin(), steps)
    return found.tolist()  # the only copy from the device


if __name__ == "__main__":
    report(losses)
