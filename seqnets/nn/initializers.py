"""Initializers of weights."""

import jax
import jax.numpy as jnp
from jax import Array
from jax.nn.initializers import Initializer


def _in_float32(initializer: Initializer) -> Initializer:
    """Draw 16-bit numbers in 32 bits and round them: the decompositions in some initializers need 32 bits."""

    def initialize(key: Array, shape, dtype=jnp.float32, out_sharding=None) -> Array:
        del out_sharding
        drawn_in = jnp.promote_types(dtype, jnp.float32) if jnp.issubdtype(dtype, jnp.floating) else dtype
        return initializer(key, shape, drawn_in).astype(dtype)

    return initialize


input_kernel: Initializer = _in_float32(jax.nn.initializers.glorot_uniform())
recurrent_kernel: Initializer = _in_float32(jax.nn.initializers.orthogonal())
convolution_kernel: Initializer = _in_float32(jax.nn.initializers.he_normal())


def gate_blocks(initializer: Initializer, hidden_features: int) -> Initializer:
    """Initialize each gate's block of a fused kernel separately, so that fan-in and orthogonality are those of one gate.

    Args:
        initializer: makes one `(rows, H)` block.
        hidden_features: H; it must divide the last axis.

    Returns:
        An initializer for `(..., rows, gates * H)`.

    Example:
        >>> import jax
        >>> kernel = gate_blocks(jax.nn.initializers.orthogonal(), 4)(jax.random.key(0), (4, 8))
        >>> bool(abs(kernel[:, 4:].T @ kernel[:, 4:] - jax.numpy.eye(4)).max() < 1e-5)
        True
    """

    def initialize(key: Array, shape, dtype=jnp.float32, out_sharding=None) -> Array:
        del out_sharding
        whole = _in_float32(initializer)
        *lead, rows, width = shape
        gates = width // hidden_features
        keys = jax.random.split(key, (*lead, gates))
        blocks = [whole(k, (rows, hidden_features), dtype) for k in keys.reshape(-1)]
        stacked = jnp.stack(blocks).reshape(*lead, gates, rows, hidden_features)
        return jnp.moveaxis(stacked, -3, -2).reshape(shape)

    return initialize


def bilinear_kernel(key: Array, shape, dtype=jnp.float32, out_sharding=None) -> Array:
    """Return the kernel with which a transposed convolution, one group a feature, enlarges bilinearly.

    Args:
        key: not used.
        shape: (KH, KW, 1, features); a side of 2 S - S mod 2 with the stride S.
        dtype: of the kernel.
        out_sharding: not used.

    Example:
        >>> bilinear_kernel(None, (4, 1, 1, 1))[:, 0, 0, 0].tolist()
        [0.25, 0.75, 0.75, 0.25]

    References:
        Long, Shelhamer and Darrell, "Fully convolutional networks for semantic segmentation", 2015.
    """
    del key, out_sharding
    rows, columns = (_hat(side) for side in shape[:2])
    return jnp.broadcast_to((rows[:, None] * columns[None, :])[:, :, None, None], shape).astype(dtype)


def _hat(side: int) -> Array:
    factor = (side + 1) // 2
    center = factor - 1 if side % 2 else factor - 0.5
    return 1 - jnp.abs(jnp.arange(side) - center) / factor
