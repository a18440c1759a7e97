"""What segmenters, localizers and detectors find in pictures."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from seqnets.decode.detection import Found, detect
from seqnets.decode.localization import locate
from seqnets.decode.segmentation import segment
from seqnets.errors import UserError
from seqnets.run import Run
from seqnets.viz.thumbnails import data_url
from seqnets.web.panels.subject import Subject
from seqnets.web.uploads import picture

_LEAST, _SIDE = 0.5, 640  # score of what is shown; pixels of a picture
FIND = {"segmenter": segment, "localizer": locate, "detector": detect}
"""What finds the regions, by task: `(model, pictures, batch=...) -> a result or an error for each`."""


def found(subject: Subject) -> dict[str, Any] | None:
    """Return held-out pictures with what is found in them; None where an extra that this needs is not installed."""
    try:
        return {"figures": _figures(subject.run, () if subject.material is None else subject.material)}
    except UserError:
        return None


def find_in(run: Run, body: bytes, given: Any) -> dict[str, Any]:
    """Return a picture that the page sends with what is found in it.

    Raises:
        UserError: it cannot be read.
    """
    return {"figures": _figures(run, [picture(body)])}


def _figures(run: Run, pictures: Sequence[Any]) -> list[dict[str, str]]:
    results = list(FIND[run.config["task"]](run.model, pictures, batch=max(len(pictures), 1)))
    failed = [result for result in results if isinstance(result, UserError)]
    if failed and len(failed) == len(results):
        raise failed[0]
    return [_figure(result) for result in results if not isinstance(result, UserError)]


def _figure(result: Any) -> dict[str, str]:
    shown = result.above(_LEAST) if isinstance(result, Found) else result
    names = "; ".join(f"{thing.name} {thing.score:.0%}" for thing in shown.things) or "nothing" if shown is not result else ""
    about = f"The picture with what the model finds in it{': ' + names if names else ''}"
    return {"title": names, "about": about, "picture": data_url(_pixels(shown.figure()), side=_SIDE)}


def _pixels(figure: Any) -> np.ndarray:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.ascontiguousarray(np.asarray(canvas.buffer_rgba())[..., :3])
