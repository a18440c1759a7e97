"""Arrays by name: what comes back shares nothing with what was given."""

import jax.numpy as jnp
import numpy as np
import pytest

from seqnets.named_arrays import replace_arrays


@pytest.mark.parametrize("dtype", [np.float32, np.uint32, np.bool_])
@pytest.mark.parametrize("size", [0, 3, 4096, 1 << 20])
def test_replaced_arrays_are_copies(dtype, size):
    given = np.ones(size, dtype)
    replaced = replace_arrays({"a": jnp.zeros(size, dtype)}, {"a": given}, source="a file")["a"]
    given[:] = 0
    assert replaced.shape == (size,)
    assert bool((replaced == 1).all())
