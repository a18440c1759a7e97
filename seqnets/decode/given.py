"""Checks the model and the key that callers pass, before anything is compiled."""

import os
from typing import Any

import jax
from flax import nnx
from jax import Array

from seqnets.errors import UserError


def model_of(model: Any) -> Any:
    """Return the argument if it is a model.

    Raises:
        UserError: it is a run or something else.

    Example:
        >>> model_of("runs/hamlet")
        Traceback (most recent call last):
        ...
        seqnets.errors.UserError: a model is needed, not 'runs/hamlet'; the model of a run folder is seqnets.load(folder).model
    """
    if isinstance(model, nnx.Module):
        return model
    if isinstance(getattr(model, "model", None), nnx.Module):
        raise UserError("a model is needed, not a run; give run.model")
    if not isinstance(model, str | os.PathLike | int | float | None):
        return model
    shown = repr(model)[:60]
    raise UserError(f"a model is needed, not {shown}; the model of a run folder is seqnets.load(folder).model")


def key_of(key: Any) -> Array:
    """Return a random key: the one given, or `jax.random.key(0)` for None.

    Raises:
        UserError: it is not a single JAX key.

    Example:
        >>> key_of(3)
        Traceback (most recent call last):
        ...
        seqnets.errors.UserError: key must be a JAX key, such as jax.random.key(3), not 3
    """
    if key is None:
        return jax.random.key(0)
    if isinstance(key, Array):
        is_new = jax.dtypes.issubdtype(key.dtype, jax.dtypes.prng_key)
        if key.shape == (() if is_new else (2,)) and (is_new or key.dtype == "uint32"):
            return key
    number = key if isinstance(key, int) else 0
    raise UserError(f"key must be a JAX key, such as jax.random.key({number}), not {key!r}")
