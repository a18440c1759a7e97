"""Checks the arguments of a recurrence once, where they come in, and brings them into one form.

JAX's own operations notice arrays that do not agree; a kernel in another language would read past the end of one. So every
function that takes arrays from a caller and may pass them to such a kernel checks them here. Shapes and dtypes are known while a
function is traced: a compiled one pays nothing.
"""

from seqnets.ops.arguments.arrays import as_array, one_of, real_array, rows_of, tokens_of
from seqnets.ops.arguments.masks import lengths_of, mask_of, masks_of
from seqnets.ops.arguments.states import alike, carries, entries, single_step, state, state_of, zoneout_of
from seqnets.ops.arguments.weights import hidden_features, weights_of

__all__ = [
    "alike",
    "as_array",
    "carries",
    "entries",
    "hidden_features",
    "lengths_of",
    "mask_of",
    "masks_of",
    "one_of",
    "real_array",
    "rows_of",
    "single_step",
    "state",
    "state_of",
    "tokens_of",
    "weights_of",
    "zoneout_of",
]
