"""Whether the examples that are read again are those of training."""

from typing import Any

from seqnets.errors import UserError
from seqnets.run import Run


def held_out_of(run: Run, splits: dict[str, Any], most: int) -> tuple[Any, str]:
    """Return the first held-out examples of a run, and what to call them.

    Args:
        run: the run.
        splits: its `Examples` or `Forest`, read again.
        most: how many are returned at most.

    Raises:
        UserError: the run holds none out, or its data have changed.
    """
    if "validation" not in splits:
        raise UserError(f"'{run.directory}' held nothing out; give other examples as --text")
    if splits["validation"].digest() != run.config["data"].get("validation"):
        raise UserError(f"the data that '{run.directory}' was trained on have changed since; give examples as --text")
    return splits["validation"].first(most), "the validation split"
