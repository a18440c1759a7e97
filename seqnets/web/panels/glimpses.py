"""Where glancers look, and how drawers draw."""

from typing import Any

import jax
import numpy as np

from seqnets.decode.drawings import Drawn, draw, redraw
from seqnets.decode.glances import Glance, glance
from seqnets.errors import UserError
from seqnets.models.glimpse.glancer import END
from seqnets.run import Run
from seqnets.viz.sheets import tile
from seqnets.viz.thumbnails import data_url
from seqnets.web.panels.subject import Subject
from seqnets.web.uploads import picture

_PICTURES, _DRAWN, _STEPS, _SIDE = 12, 48, 6, 1200  # pictures that are looked at, drawn, and shown in steps; pixels of a sheet


def looked(subject: Subject) -> dict[str, Any]:
    """Return what a glancer sees in held-out pictures, and where it looks, mistakes first."""
    if subject.material is None:
        return {"figures": []}
    seen = subject.material
    pairs = [(found, truth) for found, truth in zip(glance(subject.run.model, seen.pictures), seen.truth)]
    shown = [(found, truth) for found, truth in pairs if isinstance(found, Glance)]
    ordered = sorted(shown, key=lambda pair: not pair[1] or _names(pair[0]) == _without_end(pair[1]))
    return {"figures": [_looked(found, truth) for found, truth in ordered[:_PICTURES]]}


def look_at(run: Run, body: bytes, given: Any) -> dict[str, Any]:
    """Return what a glancer sees in a picture that the page sends.

    Raises:
        UserError: it cannot be read.
    """
    (found,) = glance(run.model, [picture(body)], batch=1)
    if isinstance(found, UserError):
        raise found
    return {"figures": [_looked(found, ())]}


def drawn(subject: Subject) -> dict[str, Any]:
    """Return pictures of a drawer's own, and the steps of some."""
    parts = list(draw(subject.run.model, _DRAWN, jax.random.key(0)))
    sheet = tile([one for part in parts for one in part.pictures[:, -1]], columns=12, side=84)
    steps = Drawn(*(array[:_STEPS] for array in parts[0])).sheet()
    return {"figures": [_figure("Pictures of its own", "Drawn from random numbers", sheet), _steps("Their steps", steps)]}


def draw_again(run: Run, body: bytes, given: Any) -> dict[str, Any]:
    """Return how a drawer draws a picture that the page sends.

    Raises:
        UserError: it cannot be read.
    """
    again = redraw(run.model, picture(body), jax.random.key(0))
    return {"figures": [_steps("Your picture, drawn again", again.sheet())]}


def _looked(found: Glance, truth: tuple[str, ...]) -> dict[str, str]:
    said = ", ".join(f"{thing[0].label} {thing[0].score:.0%}" for thing in found.things) or "nothing"
    wrong = bool(truth) and _names(found) != _without_end(truth)
    title = f"{said}, not {', '.join(_without_end(truth)) or 'nothing'}" if wrong else said
    return _figure(title, "The picture with the path of the glimpses, and what each of them shows", found.sheet())


def _names(found: Glance) -> tuple[str, ...]:
    return tuple(thing[0].label for thing in found.things)


def _without_end(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for name in names if name != END)


def _steps(title: str, sheet: np.ndarray) -> dict[str, str]:
    return _figure(title, "The picture after each step, with the window that the step wrote", sheet)


def _figure(title: str, about: str, sheet: np.ndarray) -> dict[str, str]:
    return {"title": title, "about": about, "picture": data_url(sheet, side=_SIDE)}
