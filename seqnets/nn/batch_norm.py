"""Batch normalization with the statistics of torch."""

import jax
import jax.numpy as jnp
from flax import nnx

from seqnets.errors import UserError
from seqnets.ops.linear import along_last_axis


class BatchNorm(nnx.Module):
    r"""Give every feature mean `bias` and standard deviation `scale`.

    $$ y = \gamma \frac{x - \mu}{\sqrt{\sigma^2 + \epsilon}} + \beta $$

    With `train=True` the mean and variance are those of the batch, and the running ones move toward them:
    $\mu \leftarrow m \mu + (1 - m) \mu_B$, likewise the variance with n - 1 in the denominator. Otherwise the running
    ones are used. Statistics are float32 for any dtype of x. Set `frozen = True` on a layer to keep its running
    statistics even in training (transfer learning).

    Args:
        features: size of the last axis of x.
        momentum: m; torch calls 1 - m momentum.
        epsilon: added to the variance.
        rngs: unused; accepted so that all layers have the same arguments.

    Raises:
        UserError: x has another number of features.

    Example:
        >>> norm = BatchNorm(1, rngs=nnx.Rngs(0))
        >>> norm(jnp.array([[1.0], [3.0]]), train=True).round(3), norm.mean[...]
        (Array([[-1.], [ 1.]], dtype=float32), Array([0.2], dtype=float32))

    References:
        Ioffe and Szegedy, "Batch normalization: accelerating deep network training", 2015.
    """

    def __init__(self, features: int, *, momentum: float = 0.9, epsilon: float = 1e-5, rngs: nnx.Rngs | None = None):
        self.scale = nnx.Param(jnp.ones(features, jnp.float32))
        self.bias = nnx.Param(jnp.zeros(features, jnp.float32))
        self.mean = nnx.BatchStat(jnp.zeros(features, jnp.float32))
        self.var = nnx.BatchStat(jnp.ones(features, jnp.float32))
        self.features, self.momentum, self.epsilon = features, momentum, epsilon
        self.frozen = False

    def __call__(self, x: jax.Array, *, train: bool = False, key: jax.Array | None = None) -> jax.Array:
        """Normalize [..., features]; the result has the dtype of `x`."""
        if x.shape[-1] != self.features:
            raise UserError(f"x {x.shape} has {x.shape[-1]} features but the batch norm has {self.features}")
        wide = x.astype(jnp.promote_types(x.dtype, jnp.float32))
        mean, var = self._measure(wide) if train and not self.frozen else (self.mean[...], self.var[...])
        scale = self.scale[...] * jax.lax.rsqrt(var + self.epsilon)
        mean, scale, bias = (along_last_axis(v, x.ndim) for v in (mean, scale, self.bias[...]))
        return ((wide - mean) * scale + bias).astype(x.dtype)

    def _measure(self, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        axes = tuple(range(x.ndim - 1))
        mean = jnp.mean(x, axes)
        var = jnp.mean(jnp.square(x - along_last_axis(mean, x.ndim)), axes)
        count = x.size // x.shape[-1]
        self._follow(self.mean, mean)
        self._follow(self.var, var * (count / max(count - 1, 1)))
        return mean, var

    def _follow(self, running: nnx.BatchStat, measured: jax.Array) -> None:
        measured = jax.lax.stop_gradient(measured).astype(running[...].dtype)
        running.set_value(self.momentum * running[...] + (1 - self.momentum) * measured)
