"""Pictures with regions that a run did not learn from."""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import numpy as np

from seqnets.data.images.files import find_images
from seqnets.run import Run
from seqnets.viz.figure_file import say

_MOST = 12


def held_out(run: Run, folder: str | None = None) -> tuple[Sequence[Path | np.ndarray], str]:
    """Return some pictures that a segmenter, localizer or detector did not learn from, and what to call them.

    Args:
        run: the run.
        folder: a folder of other pictures; those of the run's test split, else of its validation split, if None.

    Raises:
        UserError: they cannot be read.
    """
    if folder is not None:
        return find_images([folder], tell=say)[:_MOST], folder
    task = import_module(f"seqnets.tasks.{run.config['task']}")
    splits = task.read(task.RECIPE.settings_of(run)).splits
    split = next((name for name in ("test", "validation") if name in splits), None)
    return ([example.image for example in splits[split][:_MOST]], f"the {split} split") if split else ([], "no split")
