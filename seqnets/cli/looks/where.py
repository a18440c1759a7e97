"""Looks at where a score comes from."""

import argparse
from collections.abc import Callable
from typing import Any

import numpy as np

from seqnets.cli.looks import Sight, target_of
from seqnets.cli.looks.pictures import label, pictures_of
from seqnets.cli.networks import Chosen

_PICTURES, _SIDE = 8, 128


def draw_saliency(chosen: Chosen, found: argparse.Namespace) -> Sight:
    """Draw the saliency map beside and over the picture."""
    from seqnets import inspect
    from seqnets.viz import overlay
    from seqnets.viz.sheets import gray

    target, options = target_of(found), {"samples": found.samples, "noise": found.noise, "seed": found.seed or 0}

    def look(picture: Any) -> tuple[Any, list[np.ndarray], dict[str, Any], str]:
        one = inspect.saliency(chosen.model, [picture], target, **options)
        row, column = (int(at) for at in np.unravel_index(one.map[0].argmax(), one.map[0].shape))
        said = f"greatest gradient at row {row}, column {column}"
        return (
            one,
            [one.pictures[0], gray(one.map[0]), overlay(one.pictures[0], one.map[0])],
            {"row": row, "column": column},
            said,
        )

    return _each(chosen, found, look)


def draw_guided(chosen: Chosen, found: argparse.Namespace) -> Sight:
    """Draw the gradient of another rule in color."""
    from seqnets import inspect
    from seqnets.inspect.targets import shown
    from seqnets.models.extractor import known_preprocessing
    from seqnets.viz.sheets import signed

    target = target_of(found)

    def look(picture: Any) -> tuple[Any, list[np.ndarray], dict[str, Any], str]:
        one = inspect.saliency(chosen.model, [picture], target, kind=found.rule)
        size = float(np.linalg.norm(one.gradient))
        drawn = shown(known_preprocessing(chosen.model), signed(one.gradient))[0]
        return one, [one.pictures[0], drawn], {"norm": size}, f"the gradient's norm is {size:.4g}"

    return _each(chosen, found, look)


def draw_grad_cam(chosen: Chosen, found: argparse.Namespace) -> Sight:
    """Draw Grad-CAM over the picture."""
    from seqnets import inspect
    from seqnets.viz import overlay

    def look(picture: Any) -> tuple[Any, list[np.ndarray], dict[str, Any], str]:
        one = inspect.grad_cam(chosen.model, [picture], found.target, layer=found.layer)
        row, column = (int(at) for at in np.unravel_index(one.map[0].argmax(), one.map[0].shape))
        place = {"row": row, "column": column}
        return one, [one.pictures[0], overlay(one.pictures[0], one.map[0])], place, f"largest at row {row}, column {column}"

    return _each(chosen, found, look)


def draw_occlusion(chosen: Chosen, found: argparse.Namespace) -> Sight:
    """Draw by how much the score falls."""
    from seqnets import inspect
    from seqnets.viz import overlay

    target = target_of(found)
    filling = float(found.filling) if found.filling.replace(".", "", 1).isdecimal() else found.filling
    options = {"window": found.window, "stride": found.stride, "filling": filling, "score": found.score}

    def look(picture: Any) -> tuple[Any, list[np.ndarray], dict[str, Any], str]:
        one = inspect.occlusion(chosen.model, [picture], target, **options)
        i, j = np.unravel_index(one.grid[0].argmin(), one.grid[0].shape)
        top, left, (height, width) = int(one.rows[i]), int(one.columns[j]), one.window
        place = f"rows {top} to {top + height - 1}, columns {left} to {left + width - 1}"
        said = f"{one.without[0]:.4g}, and {one.grid[0].min():.4g} when {place} are hidden"
        figures = {"without": float(one.without[0]), "window": [height, width], "rows": one.rows.tolist(),
                   "columns": one.columns.tolist(), "grid": one.grid[0].tolist()}  # fmt: skip
        return one, [one.pictures[0], overlay(one.pictures[0], one.map[0])], figures, said

    return _each(chosen, found, look)


def draw_segmentation(chosen: Chosen, found: argparse.Namespace) -> Sight:
    """Draw the thing cut out by its saliency."""
    from seqnets import inspect

    def look(picture: Any) -> tuple[Any, list[np.ndarray], dict[str, Any], str]:
        one = inspect.saliency(chosen.model, [picture], found.target)
        mask = inspect.segmentation(one.pictures[0], one.map[0], method=found.method).mask
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        box = [int(edge) for edge in (rows[0], columns[0], rows[-1] + 1, columns[-1] + 1)] if len(rows) else None
        cut = np.where(mask[..., None], one.pictures[0], 255).astype(np.uint8)
        return one, [one.pictures[0], cut], {"share": float(mask.mean()), "box": box}, f"{mask.mean():.0%} of the picture"

    return _each(chosen, found, look)


def _each(
    chosen: Chosen, found: argparse.Namespace, look: Callable[[Any], tuple[Any, list[np.ndarray], dict[str, Any], str]]
) -> Sight:
    from seqnets.viz import tile

    names, pictures = pictures_of(chosen, _PICTURES)
    tiles, lines, entries = [], [], []
    columns = 1
    for name, picture in zip(names, pictures):
        one, drawn, figures, said = look(picture)
        tiles, columns = [*tiles, *drawn], len(drawn)
        asked, of_class = _asked(chosen, found, one)
        score = {"score": float(one.score[0])} if hasattr(one, "score") else {}
        lines.append(f"{name}: {asked}: {said}")
        entries.append({"file": name, **of_class, **score, **figures})
    return Sight(tile(tiles, columns=columns * (2 if len(names) > 3 else 1), side=_SIDE), lines, entries)


def _asked(chosen: Chosen, found: argparse.Namespace, one: Any) -> tuple[str, dict[str, Any]]:
    number = int(one.index[0])
    if one.layer == "logits":
        return label(chosen, number), {"class": number, "label": label(chosen, number)}
    return f"channel {found.channel} of {one.layer}", {"layer": one.layer, "channel": found.channel, "unit": number}
