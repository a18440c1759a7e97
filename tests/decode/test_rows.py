"""Examples a batch at a time."""

import jax.numpy as jnp
import numpy as np
from flax import nnx

from seqnets.data.examples.examples import Examples
from seqnets.decode.rows import _run, map_examples


def doubled(model, batch):
    return model.scale[...] * jnp.asarray(batch["number"])


def test_any_number_of_examples_takes_few_programs():
    model = nnx.Module()
    model.scale = nnx.Param(jnp.float32(2))
    before = _run._cache_size()
    for count in range(1, 40):
        numbers = np.arange(count, dtype=np.float32)
        np.testing.assert_array_equal(map_examples(doubled, model, Examples({"number": numbers}), rows=16), 2 * numbers)
    assert _run._cache_size() - before == 5  # of 1, 2, 4, 8 and 16 rows
