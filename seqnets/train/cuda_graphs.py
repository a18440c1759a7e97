"""Loops as CUDA graphs: the host launches a loop once instead of launching every kernel of every step.

XLA captures a whole loop if it can capture everything in it. It cannot capture copies without a kernel, such as the copy of one
step's state into the array of all states, so such copies are turned off.
"""

from typing import Any

import jax

from seqnets.errors import UserError
from seqnets.ops import self_check
from seqnets.ops.platform import CUDA_GRAPHS, default_platform

OPTIONS = CUDA_GRAPHS


def compiler_options(wanted: bool) -> dict[str, Any]:
    """Return the options that make XLA capture loops as CUDA graphs; empty if that is not wanted.

    Raises:
        UserError: it is wanted, but there is no NVIDIA GPU, this XLA does not support it, or its graphs give
            other results than the steps without them.

    Example:
        >>> compiler_options(False)
        {}
    """
    if not wanted:
        return {}
    if default_platform() != "cuda":
        raise UserError(f"train.cuda_graphs needs an NVIDIA GPU, and JAX's default is {default_platform()}; leave it out")
    try:
        jax.jit(lambda x: x, compiler_options=OPTIONS).lower(0).compile()
    except jax.errors.JaxRuntimeError as failure:
        raise UserError(f"train.cuda_graphs is unknown to this jaxlib ({str(failure).splitlines()[0]}); leave it out") from None
    if reason := self_check.refusal("cuda_graphs"):
        raise UserError(f"train.cuda_graphs is not available: {reason}; leave it out")
    return OPTIONS
