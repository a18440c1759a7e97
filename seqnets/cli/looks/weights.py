"""Looks at filters and activations."""

import argparse

import numpy as np

from seqnets.cli.looks import Sight
from seqnets.cli.looks.pictures import pictures_of
from seqnets.cli.networks import Chosen

_PICTURES = 1


def draw_filters(chosen: Chosen, found: argparse.Namespace) -> Sight:
    """Draw the filters of a convolution."""
    from seqnets import inspect
    from seqnets.viz import filter_sheet

    path, kernel = inspect.filters(chosen.model, found.layer)
    height, width, inputs, outputs = kernel.shape
    line = f"{path}: {outputs} filters of {height} x {width} on {inputs} channel{'s' * (inputs != 1)}"
    sizes = np.linalg.norm(kernel.reshape(-1, outputs), axis=0)
    return Sight(filter_sheet(kernel), [line], {"layer": path, "shape": list(kernel.shape), "norms": sizes.tolist()})


def draw_activations(chosen: Chosen, found: argparse.Namespace) -> Sight:
    """Draw the outputs of a layer."""
    from seqnets import inspect
    from seqnets.viz import map_sheet, tile

    layer = found.layer or chosen.model.feature_names[0]
    names, pictures = pictures_of(chosen, _PICTURES)
    sheets, lines, entries = [], [], []
    for name, picture in zip(names, pictures):
        output = inspect.activations(chosen.model, [picture], layer)[0].astype(np.float32)
        maps = output if output.ndim == 3 else output[None, None]
        means = maps.mean((0, 1))
        best = np.argsort(-means, kind="stable")[:5].tolist()
        shape = " x ".join(map(str, output.shape))
        lines.append(f"{name}: {layer} ({shape}), largest on average in channels {', '.join(map(str, best))}")
        entries.append({"file": name, "layer": layer, "shape": list(output.shape), "means": means.tolist()})
        sheets.append(map_sheet(maps))
    return Sight(tile(sheets, columns=1, gap=8), lines, entries)
