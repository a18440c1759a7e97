"""What `segment` and `locate` have in common: pictures in, a result for each, figures and JSON out."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from seqnets import settings
from seqnets.cli.parser import Parser
from seqnets.cli.trained import add_run, load_trained
from seqnets.cli.verbs import VERBS
from seqnets.viz.figure_file import check_figure, numbered, write_figure

_DONE, _NONE_READ = 0, 2

Show = Callable[[Path, Any, Any], Any]


def parser_of(verb: str, task: str, usage: str, epilog: str) -> Parser:
    """Return the parser of a verb that takes a run and pictures."""
    parser = Parser(f"seqnets {verb}", VERBS[verb].summary, epilog=epilog, usage=usage)
    add_run(parser, f"a run of `seqnets train {task}`")
    parser.add_argument("images", metavar="IMAGES", nargs="+", help="files, folders, patterns")
    parser.add_argument("--figure", metavar="FILE", help="write a picture of the result; FILE-NAME for each of several images")
    parser.add_argument("--json", action="store_true", help="print a JSON list instead")
    parser.add_argument("--batch-size", type=parser.value(int), default=16, metavar="N", help="images at once [16]")
    return parser


def run_verb(found: Any, task: str, compute: Callable[..., Iterable[Any]], show: Show, *, flat: bool = False) -> int:
    """Load the run, compute the results of the images, and print, draw or list them.

    Args:
        found: the parsed arguments.
        task: the task whose runs the verb takes.
        compute: `(model, paths, batch=...) -> results`, an error for an image that cannot be read.
        show: `(path, result, arguments) -> entry`: prints the result unless JSON is wanted, and returns its entry.
        flat: whether `show` returns any number of entries, which are complete.

    Returns:
        The exit code: 2 if no image could be read.
    """
    settings.POSITIVE.check("--batch-size", found.batch_size)
    check_figure(found.figure)
    run = load_trained(found.run, task)
    from seqnets.cli.image_arguments import named_images, usable

    paths = named_images(found.images)
    entries, count = [], 0
    names = dict(zip(paths, numbered(found.figure, [path.stem for path in paths]))) if found.figure else {}
    for path, result in usable(paths, compute(run.model, paths, batch=min(found.batch_size, len(paths)))):
        entry, count = show(path, result, found), count + 1
        entries.extend(entry if flat else [{"file": str(path), **entry}])
        if found.figure:
            write_figure(result.figure(), names[path])
    if found.json:
        print(json.dumps(entries))
    return _DONE if count else _NONE_READ
