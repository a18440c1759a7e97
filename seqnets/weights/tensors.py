"""Converts arrays of any library, including torch's tensors of any precision and device, to NumPy."""

import sys
from typing import Any

import ml_dtypes
import numpy as np

from seqnets.errors import UserError


def as_array(value: Any, name: str) -> np.ndarray:
    """Return an array of NumPy, JAX or torch, a parameter or a list as a NumPy array, without rounding.

    Args:
        value: the array.
        name: what to call it in an error.

    Raises:
        UserError: it is not an array of numbers.

    Example:
        >>> as_array([1.0, 2.0], "bias")
        array([1., 2.])
    """
    try:
        array = _of_torch(value) if hasattr(value, "detach") else np.asarray(value)
    except Exception as error:  # each library fails in its own way
        raise UserError(f"{name!r} cannot be read as an array: {str(error).splitlines()[0]}") from None
    if not (array.dtype.kind in "fiub" or array.dtype.name in vars(ml_dtypes)):
        raise UserError(f"{name!r} must be an array of numbers, not a {type(value).__name__}")
    return array


def _of_torch(tensor: Any) -> np.ndarray:
    tensor = tensor.detach().cpu()
    own = getattr(ml_dtypes, str(tensor.dtype).removeprefix("torch."), None)
    if own is None:
        return tensor.numpy()
    torch = sys.modules["torch"]  # the tensor is its
    bits = {1: torch.uint8, 2: torch.int16}[tensor.element_size()]
    return tensor.contiguous().view(bits).numpy().view(own)
