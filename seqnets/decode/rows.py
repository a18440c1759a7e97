"""Run a model over many examples, a batch at a time, compiled once."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

import jax
import numpy as np
from flax import nnx

from seqnets.data.examples.examples import Rows, in_order
from seqnets.decode.given import model_of

ROWS = 128


def map_examples(function: Callable[[Any, Any], Any], model: nnx.Module, examples: Rows, *, rows: int = ROWS) -> Any:
    """Apply a function to every example.

    Args:
        function: `(model, batch) -> pytree` of arrays with the leading axis B; defined once, at the top level of a
            module, since the compiled program is cached by the function.
        model: the model.
        examples: N of them.
        rows: B, the most rows of one device call; fewer examples take the next power of two.

    Returns:
        The pytree as NumPy arrays with the leading axis N.

    Example:
        >>> from seqnets.data.examples.examples import Examples
        >>> examples = Examples({"number": np.arange(5.0)})
        >>> def scaled(model, batch):
        ...     return batch["number"] * model.scale[...]
        >>> model = nnx.Module()
        >>> model.scale = nnx.Param(jax.numpy.float32(2))
        >>> map_examples(scaled, model, examples, rows=2).tolist()
        [0.0, 2.0, 4.0, 6.0, 8.0]
    """
    rows = min(rows, 1 << (len(examples) - 1).bit_length())  # few values, so that few programs are compiled
    found = run_batches(function, model, in_order(examples, rows))
    parts = [jax.tree.map(lambda array: array[:count], result) for result, count in found]  # noqa: B023  used immediately
    return jax.tree.map(lambda *arrays: np.concatenate(arrays), *parts)


def run_batches(function: Callable[[Any, Any], Any], model: nnx.Module, batches: Iterable[tuple[Any, Any]]) -> Iterator[Any]:
    """Yield what a function makes of every batch, as NumPy arrays, and what came with it; each shape is compiled once.

    Args:
        function: `(model, batch) -> pytree`; as for `map_examples`.
        model: the model.
        batches: pytrees of arrays, each with something else, such as the number of its real rows.
    """
    graphdef, state = nnx.split(model_of(model))
    for batch, own in batches:
        yield jax.device_get(_run(function, graphdef, state, batch)), own


@partial(jax.jit, static_argnums=(0, 1))
def _run(function: Callable[[Any, Any], Any], graphdef: Any, state: Any, batch: Any) -> Any:
    return function(nnx.merge(graphdef, state), batch)
