"""Pictures by the batch: read ahead by threads, decoded in batches of one shape, each result or error in its place."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, TypeVar

import numpy as np

from seqnets import settings
from seqnets.data.images.files import ImageError
from seqnets.data.images.preprocessing import Picture, Preprocessing
from seqnets.data.read_ahead import read_ahead
from seqnets.errors import UserError

Result = TypeVar("Result")


def pixels_ahead(rule: Preprocessing, images: Iterable[Picture], *, batch: int) -> Iterator[np.ndarray | ImageError]:
    """Yield the pixels of every picture, or the error of one that cannot be read, while threads read the next two batches."""

    def pixels(image: Picture) -> np.ndarray | ImageError:
        try:
            return rule.pixels(image)
        except ImageError as error:
            return error

    return read_ahead(pixels, images, ahead=2 * batch)


def by_batches(
    items: Iterable[Any], batch: int, run: Callable[[int, list[Any]], Iterable[Result]]
) -> Iterator[Result | UserError]:
    """Yield the result of every item, in order, and the errors among them where they are.

    Args:
        items: what is to be computed on, or why it cannot be.
        batch: items at a time, errors included.
        run: `(number, items) -> results` of a batch, counted from 0; results are asked for one by one. Every batch has the
            same size, a power of 2 that the first one decides: one with errors, and the last one, are filled up with their last
            item.

    Raises:
        UserError: `batch` is below 1.

    Example:
        >>> errors = UserError("a"), UserError("b")
        >>> list(by_batches([1, errors[0], 2, 3, errors[1]], 3, lambda number, items: [(number, items, item) for item in items]))
        [(0, [1, 2, 2, 2], 1), UserError('a'), (0, [1, 2, 2, 2], 2), (1, [3, 3, 3, 3], 3), UserError('b')]
    """
    settings.POSITIVE.check("batch", batch)
    remaining, size, number = iter(items), 0, 0
    while part := list(islice(remaining, batch)):
        size = size or 1 << (len(part) - 1).bit_length()
        usable = [item for item in part if not isinstance(item, UserError)]
        found = iter(run(number, usable + usable[-1:] * (size - len(usable))) if usable else [])
        for item in part:
            yield item if isinstance(item, UserError) else next(found)
        number += 1
