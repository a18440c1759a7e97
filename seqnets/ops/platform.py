"""Which kind of device JAX computes on by default."""

import jax
from jax.extend.backend import get_backend


def default_platform() -> str:
    """Return "cpu", "tpu", "cuda" or "rocm"; JAX itself calls the last two "gpu" both.

    Example:
        >>> import os
        >>> default_platform() == os.environ.get("JAX_PLATFORMS", default_platform())
        True
    """
    platform = jax.default_backend()
    if platform != "gpu":
        return platform
    return "rocm" if "rocm" in get_backend().platform_version.lower() else "cuda"
