"""Arrays by name: what comes back shares nothing with what was given."""

import jax.numpy as jnp
import numpy as np
import pytest

from seqnets.errors import UserError
from seqnets.named_arrays import replace_arrays


@pytest.mark.parametrize("dtype", [np.float32, np.uint32, np.bool_])
@pytest.mark.parametrize("size", [0, 3, 4096, 1 << 20])
def test_replaced_arrays_are_copies(dtype, size):
    given = np.ones(size, dtype)
    replaced = replace_arrays({"a": jnp.zeros(size, dtype)}, {"a": given}, source="a file")["a"]
    given[:] = 0
    assert replaced.shape == (size,)
    assert bool((replaced == 1).all())


def test_arrays_that_hold_nothing_may_be_missing():
    template = {"depth_bias": jnp.zeros((0, 4)), "kernel": jnp.zeros(2)}
    replaced = replace_arrays(template, {"kernel": np.ones(2, np.float32)}, source="a file")
    assert replaced["depth_bias"].shape == (0, 4)
    with pytest.raises(UserError, match="'kernel' is missing in a file"):
        replace_arrays(template, {}, source="a file")
