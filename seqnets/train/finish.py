"""What is written when a run ends: the curve and the model card."""

from collections.abc import Callable
from typing import Any

from seqnets.run import CARD, CURVE, Run, replace_file
from seqnets.train.card import model_card
from seqnets.train.curve import write_curve


def write_summary(run: Run, best: dict[str, Any] | None, tell: Callable[[str], None]) -> None:
    """Write curve.png, where matplotlib is installed, and README.md."""
    if run.directory is None:
        return
    drawn = write_curve(run.directory / CURVE, run.metrics, tell)
    replace_file(run.directory / CARD, model_card(run, best, CURVE if drawn else None))
