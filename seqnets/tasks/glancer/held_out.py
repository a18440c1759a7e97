"""Pictures that a glancer did not learn from."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from seqnets.data.images.files import find_images
from seqnets.run import Run
from seqnets.viz.figure_file import say


class Seen(NamedTuple):
    """Pictures, and the names of the things on each, in order; no names where they are not known."""

    pictures: Sequence[Any]
    truth: Sequence[tuple[str, ...]]


def held_out(run: Run, folder: str | None = None, *, most: int = 100) -> tuple[Seen, str]:
    """Return pictures that a glancer did not learn from, and what to call them.

    Args:
        run: a run of `seqnets train glancer`.
        folder: a folder of other pictures; those of the run's test split, else of its validation split, if None.
        most: how many are taken.

    Raises:
        UserError: they cannot be read.
    """
    if folder is not None:
        paths = find_images([folder], tell=say)[:most]
        return Seen(paths, [()] * len(paths)), folder
    from seqnets.tasks.glancer import RECIPE, make
    from seqnets.tasks.glancer.task import counts

    task = make(RECIPE.settings_of(run), lambda sentence: None)
    split = next((name for name in ("test", "validation") if name in task.splits), None)
    if split is None:
        return Seen([], []), "no split"
    batch, labels = task.splits[split].rows(np.arange(min(most, len(task.splits[split])))), run.model.labels
    counted = counts(batch["labels"], len(labels))
    names = [tuple(labels[label] for label in row[known]) for row, known in zip(batch["labels"], counted)]
    return Seen(list(batch["image"]), names), f"the {split} split"
