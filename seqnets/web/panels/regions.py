"""What detectors find: boxes with names or phrases."""

from typing import Any

import numpy as np

from seqnets.decode.detection import Found, detect
from seqnets.errors import UserError
from seqnets.run import Run
from seqnets.viz.thumbnails import data_url
from seqnets.web.panels.subject import Subject
from seqnets.web.uploads import picture

_LEAST, _SIDE = 0.5, 440  # score of what is shown; pixels of a picture


def found(subject: Subject) -> dict[str, Any] | None:
    """Return held-out pictures with what is detected in them; None where an extra that this needs is not installed."""
    try:
        return {"figures": [_figure(one) for one in detect(subject.run.model, subject.material or []) if isinstance(one, Found)]}
    except UserError:
        return None


def find_in(run: Run, body: bytes, given: Any) -> dict[str, Any]:
    """Return a picture that the page sends with what is detected in it.

    Raises:
        UserError: it cannot be read.
    """
    (one,) = detect(run.model, [picture(body)], batch=1)
    if isinstance(one, UserError):
        raise one
    return {"figures": [_figure(one)]}


def _figure(whole: Found) -> dict[str, str]:
    sure = whole.above(_LEAST)
    names = "; ".join(f"{thing.name} {thing.score:.0%}" for thing in sure.things) or "nothing"
    return {"title": names, "about": f"The picture with boxes: {names}", "picture": data_url(_pixels(sure.figure()), side=_SIDE)}


def _pixels(figure: Any) -> np.ndarray:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.ascontiguousarray(np.asarray(canvas.buffer_rgba())[..., :3])
