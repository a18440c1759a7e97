"""Read items ahead of time in threads: Pillow and hashing release the interpreter lock."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

_MOST_THREADS = 16


def read_ahead(
    read: Callable[[Item], Result], items: Iterable[Item], *, ahead: int = 64, threads: int | None = None
) -> Iterator[Result]:
    """Yield `read(item)` for every item in order, while threads read the next ones.

    Args:
        read: called in a thread; its exceptions are raised here, at the item's turn.
        items: consumed only as far as items are read ahead.
        ahead: the most items read but not yet used; bounds the memory.
        threads: how many; None takes one per core, at most 16.

    Example:
        >>> list(read_ahead(str.upper, ["a", "b"], ahead=1))
        ['A', 'B']
    """
    remaining = iter(items)
    workers = threads or min(os.cpu_count() or 1, _MOST_THREADS)
    with ThreadPoolExecutor(workers, thread_name_prefix="read-ahead") as pool:
        waiting: deque[Future[Result]] = deque(pool.submit(read, item) for item in islice(remaining, ahead))
        try:
            while waiting:
                yield waiting.popleft().result()
                waiting.extend(pool.submit(read, item) for item in islice(remaining, 1))
        finally:
            pool.shutdown(wait=False, cancel_futures=True)  # drop items that are no longer needed
