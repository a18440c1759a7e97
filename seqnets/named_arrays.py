"""Converts between pytrees and named arrays, the content of checkpoints and weight files."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from seqnets.errors import UserError


def named_arrays(tree: Any) -> dict[str, jax.Array]:
    """Return the arrays of a pytree by dotted names, such as `params.rnn.layers.0.kernel`.

    Example:
        >>> list(named_arrays({"b": np.zeros(2), "a": [np.ones(1)]}))
        ['a.0', 'b']
    """
    return {_name(path): leaf for path, leaf in jax.tree_util.tree_flatten_with_path(tree)[0]}


def host_arrays(tree: Any) -> dict[str, np.ndarray]:
    """Return copies of the arrays in host memory by name; random keys as their integers."""
    data = {name: jax.random.key_data(leaf) if is_key(leaf) else leaf for name, leaf in named_arrays(tree).items()}
    return {name: np.array(leaf) for name, leaf in jax.device_get(data).items()}


def replace_arrays(tree: Any, arrays: Mapping[str, np.ndarray], *, source: str) -> Any:
    """Return the pytree with its arrays replaced by name; one without a number in it may be missing.

    Raises:
        UserError: a name is missing or left over, or a shape or dtype differs; the message names the first.
    """
    template = named_arrays(tree)
    arrays = {**_empty(template), **arrays}
    differences = [*(template.keys() - arrays.keys()), *(arrays.keys() - template.keys())]
    if differences:
        where = "the model" if min(differences) in arrays else source
        raise UserError(f"{source} does not fit: {min(differences)!r} is missing in {where}")
    leaves = [_like(leaf, arrays[name], name, source) for name, leaf in template.items()]
    return jax.tree.unflatten(jax.tree.structure(tree), leaves)


def _empty(template: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Return the empty arrays, which some formats cannot store and which hold nothing to store."""
    return {name: np.empty(leaf.shape, leaf.dtype) for name, leaf in template.items() if not is_key(leaf) and leaf.size == 0}


def _like(leaf: Any, array: np.ndarray, name: str, source: str) -> jax.Array:
    expected = jax.eval_shape(jax.random.key_data, leaf) if is_key(leaf) else leaf
    if array.shape != expected.shape or array.dtype != expected.dtype:
        raise UserError(
            f"{source} does not fit: {name!r} is {array.dtype} {array.shape}, the model's {expected.dtype} {expected.shape}"
        )
    # a copy, since donation would overwrite shared memory; by NumPy, since `jnp.array` compiles for every shape
    own = jax.device_put(np.array(array))
    return jax.random.wrap_key_data(own, impl=jax.random.key_impl(leaf)) if is_key(leaf) else own


def is_key(leaf: Any) -> bool:
    """Return whether an array holds random keys rather than numbers."""
    return jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _name(path: tuple[Any, ...]) -> str:
    return jax.tree_util.keystr(path, simple=True, separator=".").removesuffix(".value")
