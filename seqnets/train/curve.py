"""The loss over the steps, as a picture."""

import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from seqnets.run import replace_file


def write_curve(path: Path, metrics: Sequence[Mapping[str, Any]], tell: Callable[[str], None]) -> bool:
    """Draw the training loss and the validation figures; return whether it was possible.

    Args:
        path: the PNG to write.
        metrics: the lines of metrics.jsonl.
        tell: called with a note where matplotlib is not installed.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        tell("no loss curve was drawn: matplotlib is not installed (pip install 'seqnets[viz]')")
        return False
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    _draw(figure.add_subplot(xlabel="step", ylabel="loss"), metrics)
    picture = io.BytesIO()
    FigureCanvasAgg(figure).print_png(picture)
    replace_file(path, picture.getvalue())
    return True


def _draw(axes: Any, metrics: Sequence[Mapping[str, Any]]) -> None:
    for name, label in (("loss", "training"), (_validation_name(metrics), "validation")):
        points = [(line["step"], line[name]) for line in metrics if line.get(name) is not None]
        if points:
            axes.plot(*zip(*points), label=label, marker="o" if label == "validation" else None, markersize=3)
    axes.grid(alpha=0.3)
    if axes.lines:
        axes.legend()


def _validation_name(metrics: Sequence[Mapping[str, Any]]) -> str:
    names = [name for line in metrics for name in line if name.startswith("validation_")]
    return "validation_nats" if "validation_nats" in names else next(iter(names), "validation_loss")
