"""`seqnets inspect WHAT ...`: looking into a network of pictures. What there is to see, as a table."""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from seqnets.cli.networks import add_network, chosen_network
from seqnets.cli.parser import Parser


class Sight(NamedTuple):
    """What a look found.

    Attributes:
        sheet: the picture, uint8 `(H, W, 3)`.
        lines: what to print.
        json: the same for programs.
    """

    sheet: Any
    lines: Sequence[str]
    json: Any


class Look(NamedTuple):
    """A kind of looking.

    Attributes:
        module: the module of this package with its functions.
        summary: one line.
        options: those it has besides the common ones.
    """

    module: str
    summary: str
    options: tuple[str, ...] = ()


_UNIT = ("class", "layer", "channel", "at")
LOOKS = {
    "filters": Look("weights", "draw the filters of a convolution", ("layer",)),
    "activations": Look("weights", "draw the outputs of a layer for pictures, a tile for each channel", ("layer",)),
    "saliency": Look("where", "draw the pixels that a class or unit depends on", (*_UNIT, "samples", "noise", "seed")),
    "guided": Look("where", "draw the guided gradient, whose ReLUs pass only what is positive", (*_UNIT, "rule")),
    "grad-cam": Look("where", "draw where a layer's features speak for a class", ("class", "layer")),
    "occlusion": Look("where", "hide each part of a picture, and draw how a class or unit falls",
                      (*_UNIT, "window", "stride", "filling", "score")),
    "segmentation": Look("where", "cut the thing out of a picture by the saliency of its class", ("class", "method")),
    "patches": Look("collections", "draw the patches that activate channels most", ("layer", "channels", "top")),
    "neighbors": Look("collections", "draw the pictures with the nearest features",
                      ("layer", "query", "top", "metric", "store")),
    "map": Look("collections", "place pictures by their features in the plane",
                ("layer", "plane", "perplexity", "seed", "store")),
}  # fmt: skip


def main(argv: Sequence[str]) -> int:
    """Run the arguments after `seqnets inspect`, of which the first is one of `LOOKS`."""
    name, *words = argv
    look = LOOKS[name]
    found = _parser(name, look).read(words)
    found.figure = found.figure or f"{name}.png"
    from seqnets.viz.figure_file import check_figure, write_sheet

    check_figure(found.figure)
    show: Callable[..., Sight] = getattr(import_module(f"{__name__}.{look.module}"), f"draw_{name.replace('-', '_')}")
    needs_network = not getattr(found, "store", None) or bool(getattr(found, "query", None))
    chosen = chosen_network(found, needs_images=False) if needs_network else None
    if chosen is not None and chosen.labels:
        chosen.model.labels = tuple(chosen.labels)
    sight = show(chosen, found)
    write_sheet(sight.sheet, Path(found.figure))
    print(json.dumps(sight.json) if found.json else "\n".join(sight.lines))
    print(f"the picture is in {found.figure}", file=sys.stderr if found.json else sys.stdout)
    return 0


def _parser(name: str, look: Look) -> Parser:
    usage = f"seqnets inspect {name} (RUN | --model NAME --weights PATH) [IMAGES...] [options]"
    parser = Parser(f"seqnets inspect {name}", look.summary, usage=usage, epilog=_EPILOG)
    add_network(parser)
    for option in look.options:
        flags, words = _OPTIONS[option]
        typed = {"type": parser.value(words["type"])} if "type" in words else {}
        parser.add_argument(flags, **{**words, **typed})
    parser.add_argument("--figure", metavar="FILE", help=f"the picture, as PNG, JPG or WebP [{name}.png]")
    parser.add_argument("--json", action="store_true", help="write what was found as JSON")
    return parser


_EPILOG = "Without IMAGES a run shows some of the pictures that it did not learn from."
_OPTIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "class": ("--class", {"dest": "target", "metavar": "CLASS", "help": "name or number of a class [the likeliest]"}),
    "layer": ("--layer", {"metavar": "LAYER", "help": "a layer by name or path, such as stage2 or stage2.0.conv1"}),
    "channel": ("--channel", {"type": int, "metavar": "N", "help": "a unit of --layer in place of a class: its channel"}),
    "at": ("--at", {"metavar": "ROW,COLUMN", "help": "and its place in the map [where it is strongest]"}),
    "channels": ("--channel", {"dest": "channels", "action": "append", "type": int, "metavar": "N",
                               "help": "a channel of the layer; may be given several times [the first 12]"}),
    "samples": ("--samples", {"type": int, "default": 1, "metavar": "N", "help": "noisy copies to average (SmoothGrad) [1]"}),
    "noise": ("--noise", {"type": float, "default": 0.15, "metavar": "SHARE", "help": "their noise, of the range [0.15]"}),
    "seed": ("--seed", {"type": int, "metavar": "N", "help": "of random numbers"}),
    "rule": ("--rule", {"choices": ["guided", "deconvolution"], "default": "guided", "help": "of every ReLU [guided]"}),
    "window": ("--window", {"type": int, "metavar": "PIXELS", "help": "side of what is hidden [a quarter of the picture]"}),
    "stride": ("--stride", {"type": int, "metavar": "PIXELS", "help": "from one window to the next [half a window]"}),
    "filling": ("--filling", {"default": "mean", "metavar": "COLOR", "help": "mean, gray, black, white, or 0 to 255 [mean]"}),
    "score": ("--score", {"choices": ["probability", "logit"], "default": "probability", "help": "[probability]"}),
    "method": ("--method", {"choices": ["thresholds", "grabcut"], "default": "thresholds",
                            "help": "grabcut needs the extra [grabcut] [thresholds]"}),
    "top": ("--top", {"type": int, "default": 8, "metavar": "N", "help": "how many for each [8]"}),
    "query": ("--query", {"action": "append", "metavar": "FILE", "help": "a picture whose neighbors are wanted [each of the "
                          "first 8]"}),
    "metric": ("--metric", {"choices": ["l2", "cosine"], "default": "l2", "help": "distance of features [l2]"}),
    "store": ("--store", {"metavar": "STORE", "help": "features that `seqnets features` stored, in place of IMAGES"}),
    "plane": ("--method", {"choices": ["tsne", "pca"], "default": "tsne", "help": "[tsne]"}),
    "perplexity": ("--perplexity", {"type": float, "metavar": "N", "help": "neighbors of each picture, for t-SNE [30, or a "
                                    "quarter of the pictures]"}),
}  # fmt: skip


def target_of(found: argparse.Namespace) -> Any:
    """Return the class or unit that the arguments choose."""
    from seqnets.errors import UserError
    from seqnets.inspect.targets import Unit

    if found.channel is None:
        if found.at or found.layer:
            raise UserError("--layer and --at choose a unit together with --channel; give its number too")
        return found.target
    if found.layer is None or found.target is not None:
        raise UserError("--channel chooses a unit of a layer in place of a class; give --layer too, and no --class")
    return Unit(found.layer, found.channel, _place(found.at))


def _place(text: str | None) -> tuple[int, int] | None:
    from seqnets.errors import UserError

    if text is None:
        return None
    parts = text.replace("x", ",").split(",")
    if len(parts) != 2 or not all(part.strip().isdecimal() for part in parts):
        raise UserError(f"--at must be a row and a column, such as 6,11, not {text!r}")
    return int(parts[0]), int(parts[1])
