"""Loops as CUDA graphs: the host launches once what it otherwise launches kernel by kernel, at every step in time.

XLA captures a loop whole where all in it can be captured. What it copies without a kernel cannot, such as the state of one step
into that of all steps; so such copies are turned off.
"""

from typing import Any

import jax

from seqnets.errors import UserError
from seqnets.ops import self_check
from seqnets.ops.platform import CUDA_GRAPHS, default_platform

OPTIONS = CUDA_GRAPHS


def compiler_options(wanted: bool) -> dict[str, Any]:
    """Return what makes XLA capture loops as CUDA graphs, or nothing where that is not wanted.

    Raises:
        UserError: it is wanted, and there is no NVIDIA GPU, this XLA does not know how, or its graphs compute
            something else than the same steps without them.

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
        raise UserError(f"train.cuda_graphs is not known to this jaxlib ({str(failure).splitlines()[0]}); leave it out") from None
    if reason := self_check.refusal("cuda_graphs"):
        raise UserError(f"train.cuda_graphs cannot be had: {reason}; leave it out")
    return OPTIONS
