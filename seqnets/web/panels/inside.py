"""Looking inside a network of pictures: filters, activations, where its score comes from, neighbors."""

from typing import Any

import numpy as np

from seqnets.errors import UserError
from seqnets.inspect import activations, features, filters, grad_cam, nearest_neighbors, saliency
from seqnets.run import Run
from seqnets.tasks.classifier import held_out as classes
from seqnets.viz import filter_sheet, map_sheet, overlay, tile
from seqnets.viz.thumbnails import data_url
from seqnets.web.panels.subject import Subject
from seqnets.web.uploads import picture

_AMONG, _ASKED, _NEAR, _SIDE = 300, 4, 7, 96  # pictures with features, those whose neighbors are shown, how many, pixels of each


def inside(subject: Subject) -> dict[str, Any]:
    """Return the filters, what the network makes of one held-out picture, and the neighbors of some."""
    model = subject.run.model
    path, kernel = filters(model)
    figures = [_figure(f"Filters of {path}", "The weights of the first convolution, each filter a tile", filter_sheet(kernel))]
    return {"figures": [*figures, *_of_pictures(model, subject.material)]}


def look_at(run: Run, body: bytes, given: Any) -> dict[str, Any]:
    """Return what the network makes of a picture that the page sends.

    Raises:
        UserError: it cannot be read.
    """
    return {"figures": _looked(run.model, picture(body))}


def _of_pictures(model: Any, labeled: Any) -> list[dict[str, str]]:
    if labeled is None or not len(labeled.names):
        return []
    step = -(-len(labeled.names) // _AMONG)
    try:
        rows, vectors = features(model, labeled.pictures[::step])
    except UserError:  # none can be read
        return []
    if len(rows) < 2:
        return []
    near = nearest_neighbors(vectors, top=min(_NEAR, len(rows) - 1)).rows[:_ASKED]
    chosen = [int(rows[row]) * step for asked, found in enumerate(near) for row in (asked, *found)]
    shown = [classes.picture_of(model, labeled, row) for row in chosen]
    sheet = tile(shown, columns=near.shape[1] + 1, side=_SIDE)
    about = "Each row: a picture, and those with the nearest features"
    return [*_looked(model, shown[0]), _figure("Nearest neighbors", about, sheet)]


def _looked(model: Any, image: Any) -> list[dict[str, str]]:
    layer, plain = model.feature_names[0], saliency(model, [image])
    name, shown = model.labels[int(plain.index[0])], plain.pictures[0]
    where = [shown, overlay(shown, plain.map[0]), overlay(shown, grad_cam(model, [image]).map[0])]
    about = f"The picture, the pixels that {name} depends on most, and where the last features speak for it"
    maps = activations(model, [image], layer)[0].astype(np.float32)
    return [
        _figure(f"Where {name} is: the picture, saliency, Grad-CAM", about, tile(where, columns=3, side=_SIDE)),
        _figure(f"Activations of {layer}", "The outputs of the layer for the picture, a tile for each channel", map_sheet(maps)),
    ]


def _figure(title: str, about: str, sheet: np.ndarray) -> dict[str, str]:
    return {"title": title, "about": about, "picture": data_url(sheet)}
