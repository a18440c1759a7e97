"""Flax NNX: the weights live in a module, Optax makes the step, and `nnx.jit` compiles both."""

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jax import Array

from problem import RATE, STEPS, C, D, H, problem, report


class TwoLayers(nnx.Module):
    """Two layers without biases."""

    def __init__(self, rngs: nnx.Rngs):
        self.first = nnx.Linear(D, H, use_bias=False, rngs=rngs)
        self.second = nnx.Linear(H, C, use_bias=False, rngs=rngs)

    def __call__(self, x: Array) -> Array:
        """Map `(N, D)` to `(N, C)`."""
        return self.second(jax.nn.relu(self.first(x)))


@nnx.jit
def step(model: TwoLayers, optimizer: nnx.Optimizer, x: Array, y: Array) -> Array:
    """Change the model and its optimizer in place; return the loss before the step."""
    loss, gradients = nnx.value_and_grad(lambda model: jnp.sum(jnp.square(model(x) - y)))(model)
    optimizer.update(model, gradients)
    return loss


def losses(steps: int = STEPS) -> list[float]:
    """Train and return the loss before each step."""
    x, y, w1, w2 = (jnp.asarray(array, jnp.float32) for array in problem())
    model = TwoLayers(nnx.Rngs(0))
    model.first.kernel[...], model.second.kernel[...] = w1, w2
    optimizer = nnx.Optimizer(model, optax.sgd(RATE), wrt=nnx.Param)
    found = [step(model, optimizer, x, y) for _ in range(steps)]  # arrays on the device: no step waits for the host
    return [float(loss) for loss in found]


if __name__ == "__main__":
    report(losses)
