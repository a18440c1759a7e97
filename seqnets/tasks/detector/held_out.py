"""Pictures that a detector did not learn from."""

from typing import Any

from seqnets.data.images.files import find_images
from seqnets.run import Run
from seqnets.viz.figure_file import say


def held_out(run: Run, folder: str | None = None, *, most: int = 12) -> tuple[list[Any], str]:
    """Return pictures that a detector did not learn from, and what to call them.

    Args:
        run: a run of `seqnets train detector`.
        folder: a folder of other pictures; those of the run's test split, else of its validation split, if None.
        most: how many are taken.

    Raises:
        UserError: they cannot be read.
    """
    if folder is not None:
        return list(find_images([folder], tell=say)[:most]), folder
    from seqnets.tasks.detector import RECIPE, read

    splits = read(RECIPE.settings_of(run)).splits
    split = next((name for name in ("test", "validation") if name in splits), None)
    return ([], "no split") if split is None else ([one.image for one in splits[split][:most]], f"the {split} split")
