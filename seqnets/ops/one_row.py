"""The product of one row with a matrix, most of the work of a loop that writes one text: all cores read the matrix at once."""

import jax
import jax.numpy as jnp
from jax import Array

from seqnets.ops.linear import multiply
from seqnets.ops.native.library import library

_LEAST_COLUMNS = 16  # those of the widest vector
_LEAST_NUMBERS = 1 << 18  # of the matrix; below, XLA is as fast


def multiply_one_row(x: Array, kernel: Array) -> Array:
    """Multiply as `seqnets.ops.linear.multiply` does; where x is one row and the matrix large, by a native kernel on the CPU.

    XLA multiplies one row on one thread. For several rows, for what is not float32 and without a compiler, its product is used.

    Args:
        x: `(..., F)`.
        kernel: `(F, G)`, lying still in memory: what makes it should be outside the loop.

    Returns:
        `(..., G)` in the dtype of `x`. The native sums do not depend on the number of threads, to the last bit.

    Example:
        >>> multiply_one_row(jnp.ones((1, 512)), jnp.full((512, 1024), 0.5))[0, :2].tolist()
        [256.0, 256.0]
    """
    if not _pays(x, kernel):
        return multiply(x, kernel)
    # what is traced on one platform may be lowered for another, which does not know this kernel
    return jax.lax.platform_dependent(x, kernel, cpu=_native, default=multiply)


def _pays(x: Array, kernel: Array) -> bool:
    one_row = x.size == x.shape[-1]
    large = kernel.size >= _LEAST_NUMBERS and kernel.shape[1] >= _LEAST_COLUMNS
    alike = x.dtype == kernel.dtype == jnp.float32
    return one_row and large and alike and jax.default_backend() == "cpu" and library() is not None


@jax.custom_jvp
def _native(x: Array, kernel: Array) -> Array:
    product = jax.typeof(x).update(shape=(kernel.shape[1],))
    sums = jax.ffi.ffi_call("seqnets_one_row", product, vmap_method="sequential")(x.reshape(-1), kernel)
    return sums.reshape(*x.shape[:-1], -1)


@_native.defjvp
def _native_jvp(primals: tuple[Array, Array], tangents: tuple[Array, Array]) -> tuple[Array, Array]:
    (x, kernel), (d_x, d_kernel) = primals, tangents
    return _native(x, kernel), multiply(d_x, kernel) + multiply(x, d_kernel)
