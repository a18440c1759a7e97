"""Communication between the processes of one run; a single process does not communicate."""

import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np


def gathered(value: Any) -> list[Any]:
    """Return the values of all processes, which must be JSON data, in order; all processes must call it together.

    Example:
        >>> gathered({"step": 3})
        [{'step': 3}]
    """
    import jax

    if not jax.distributed.is_initialized():
        return [value]
    from jax.experimental.multihost_utils import process_allgather

    text = np.frombuffer(json.dumps(value).encode(), np.uint8)
    sizes = np.ravel(process_allgather(np.int32(text.size)))
    texts = np.reshape(process_allgather(np.resize(text, sizes.max())), (len(sizes), -1))
    return [json.loads(row[:size].tobytes()) for row, size in zip(texts, sizes)]


def shared_out(work: Callable[[Sequence[str]], dict[str, str]], items: Sequence[str]) -> dict[str, str]:
    """Return `work(items)`, divided among the processes; all processes must call it together.

    Args:
        work: returns a result for each of some items.
        items: equal in every process.

    Example:
        >>> shared_out(lambda names: {name: name.upper() for name in names}, ["a", "b"])
        {'a': 'A', 'b': 'B'}
    """
    import jax

    if not jax.distributed.is_initialized():
        return work(items)
    own = work(items[jax.process_index() :: jax.process_count()])
    return {item: said for part in gathered(own) for item, said in part.items()}
