"""The kind of device that JAX computes on by default."""

from typing import Any

import jax
from jax.extend.backend import get_backend

_CAPTURED = "FUSION,CUBLAS,CUBLASLT,CUSTOM_CALL,CUDNN,DYNAMIC_SLICE_FUSION"  # what XLA captures by default, outside loops
CUDA_GRAPHS: dict[str, Any] = {  # the commands that make it capture loops too
    "xla_gpu_enable_command_buffer": f"{_CAPTURED},WHILE,CONDITIONAL",
    "xla_gpu_graph_min_graph_size": 1,
    "xla_disable_hlo_passes": "fusion-dynamic-memcpy-rewriter",
}


def default_platform() -> str:
    """Return "cpu", "tpu", "cuda" or "rocm"; JAX itself calls both of the last two "gpu".

    Example:
        >>> import os
        >>> default_platform() == os.environ.get("JAX_PLATFORMS", default_platform())
        True
    """
    platform = jax.default_backend()
    if platform != "gpu":
        return platform
    return "rocm" if "rocm" in get_backend().platform_version.lower() else "cuda"
