"""How close is equal: one place for tolerances, by precision."""

import jax
import numpy as np

RELATIVE = {"float64": 1e-10, "float32": 2e-5, "bfloat16": 2e-2}


def assert_close(actual, expected, dtype: str = "float32") -> None:
    """Compare two pytrees of arrays, relative to the largest number of each expected array."""
    assert jax.tree.structure(actual) == jax.tree.structure(expected)
    for a, e in zip(jax.tree.leaves(actual), jax.tree.leaves(expected)):
        a, e = np.asarray(a, np.float64), np.asarray(e, np.float64)
        scale = max(1.0, np.abs(e).max(initial=0.0))
        np.testing.assert_allclose(a / scale, e / scale, rtol=0, atol=RELATIVE[dtype])
