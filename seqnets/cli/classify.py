"""`seqnets classify`: classify images."""

import argparse
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from seqnets import settings
from seqnets.cli.networks import Chosen, add_network, chosen_network
from seqnets.cli.parser import Parser
from seqnets.cli.verbs import VERBS
from seqnets.errors import UserError
from seqnets.viz.figure_file import check_figure, numbered, write_sheet

_DONE, _NONE_READ = 0, 2
_EPILOG = """\
LABELS is a JSON list of names, a JSON object of number to name, a config.json with id2label, or a text file with a name
per line; a run folder has its own. An image that cannot be read is reported on standard error and left out; the exit code
is 2 if no image could be read.

examples:
  seqnets classify --model squeezenet1_1 --weights squeezenet1_1.npz --labels names.json photos/*.jpg
  seqnets classify runs/flowers garden/ --json
  seqnets classify runs/digits-glancer page.png --figure glimpses.png"""


def main(argv: Sequence[str]) -> int:
    """Run the arguments after `seqnets classify`; see `seqnets classify --help`."""
    found = _parser().read(argv)
    check_figure(found.figure)
    from seqnets.cli.image_arguments import named_images

    chosen = chosen_network(found, also="glancer")
    looks = hasattr(chosen.model, "look")
    if found.figure and not looks:
        raise UserError("--figure draws glimpses, and this network has none; give a run of `seqnets train glancer`")
    if looks and (found.labels or found.preprocessing):
        raise UserError("--labels and --preprocessing are for other networks: a glancer has its own; leave them out")
    paths = named_images(chosen.images)
    entries = list((_glances if looks else _entries)(chosen, paths, found))
    if found.json:
        print(json.dumps(entries))
    return _DONE if entries else _NONE_READ


def _parser() -> Parser:
    parser = Parser("seqnets classify", VERBS["classify"].summary, epilog=_EPILOG, usage=_USAGE)
    add_network(parser)
    parser.add_argument("--labels", metavar="LABELS", help="a file with the names of the classes")
    parser.add_argument("--top", type=parser.value(int), default=5, metavar="N", help="classes listed for each image [5]")
    parser.add_argument("--batch-size", type=parser.value(int), default=32, metavar="N", help="images at once [32]")
    parser.add_argument("--json", action="store_true", help="write a JSON list of {file, top: [{index, label, score}]}")
    parser.add_argument("--figure", metavar="FILE", help="draw the glimpses of a glancer; FILE-NAME for each of several images")
    return parser


_USAGE = "seqnets classify (RUN | --model NAME --weights PATH) IMAGES... [--labels LABELS] [--top N] [--json] [--figure FILE]"


def _entries(chosen: Chosen, paths: Sequence[Path], found: argparse.Namespace) -> Iterable[dict[str, Any]]:
    from seqnets.cli.image_arguments import usable
    from seqnets.data.images.labels import read_labels
    from seqnets.decode.classification import classify

    labels = read_labels(found.labels) if found.labels else chosen.labels
    size = min(found.batch_size, len(paths))
    for path, guesses in usable(paths, classify(chosen.model, paths, labels=labels, top=found.top, batch_size=size)):
        entry = {"file": str(path), "top": [guess._asdict() for guess in guesses]}
        if not found.json:
            _show(entry)
        yield entry


def _glances(chosen: Chosen, paths: Sequence[Path], found: argparse.Namespace) -> Iterable[dict[str, Any]]:
    from seqnets.cli.image_arguments import usable
    from seqnets.decode.glances import glance

    settings.POSITIVE.check("--top", found.top)
    settings.POSITIVE.check("--batch-size", found.batch_size)
    figures = dict(zip(paths, numbered(found.figure, [path.stem for path in paths]))) if found.figure else {}
    size = min(found.batch_size, len(paths))
    for path, seen in usable(paths, glance(chosen.model, paths, top=found.top, batch=size)):
        things = [[guess._asdict() for guess in thing] for thing in seen.things]
        several = chosen.model.config.objects > 1
        entry = {"file": str(path), **({"things": things} if several else {"top": things[0]})}
        if not found.json:
            _show({"file": str(path), "top": [thing[0] for thing in things] if several else things[0]})
        if figures:
            write_sheet(seen.sheet(), figures[path])
        yield entry


def _show(entry: dict[str, Any]) -> None:
    best = ", ".join(f"{guess['label']} {guess['score']:.1%}" for guess in entry["top"])
    print(f"{entry['file']}: {best or 'nothing'}", flush=True)
