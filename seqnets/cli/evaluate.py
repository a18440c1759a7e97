"""`seqnets evaluate RUN [FILE ...]`: how well a trained model predicts a text."""

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from seqnets.cli.options import add_fields, given_fields
from seqnets.cli.parser import Parser
from seqnets.cli.trained import add_run, load_trained
from seqnets.cli.verbs import VERBS
from seqnets.errors import UserError

SPLITS = ("validation", "train", "test")
_EPILOG = """\
Every character after the first is predicted once, from all characters before it. Without FILE, the run's own validation
split is scored, with the same figure as in training. With --dynamic, the model also learns from each segment after it is
scored; that figure is listed separately, and the run is not changed."""


def main(argv: Sequence[str]) -> int:
    """Run the arguments after `seqnets evaluate`; see `seqnets evaluate --help`."""
    from seqnets.decode.text.config import DynamicConfig

    found = _parser(DynamicConfig()).read(argv)
    changes = given_fields(found, DynamicConfig, prefix="dynamic.")
    config = DynamicConfig(**changes)
    if found.file and found.split:
        raise UserError("FILE and --split both choose the text to score; leave one out")
    for name in ("unknown", "data.encoding"):
        if not found.file and hasattr(found, name):
            raise UserError(f"--{name} is for your own text; give FILE, or leave it out")
    run = load_trained(found.run, "text")
    from seqnets.tasks.text.own_text import own_split, text_of

    if found.file:
        policy = getattr(found, "unknown", "error")
        text, unknown = text_of(run, found.file, encoding=getattr(found, "data.encoding", None), unknown=policy)
    else:
        text, unknown = own_split(run, found.split or SPLITS[0]), 0
    name = ", ".join(found.file) or f"{found.split or SPLITS[0]} split"
    _report(_scores(run, text, found, config if found.dynamic or changes else None), name, unknown, found)
    return 0


def _parser(default: Any) -> Parser:
    parser = Parser("seqnets evaluate", VERBS["evaluate"].summary, epilog=_EPILOG)
    add_run(parser)
    parser.add_argument("file", nargs="*", metavar="FILE", help="files (also .gz), folders, globs, or - for standard input")
    parser.add_argument("--split", choices=SPLITS, metavar="|".join(SPLITS), help="score a split of the run's own text")
    parser.add_argument("--json", action="store_true", help="write the figures as one JSON object")
    parser.add_argument("--dynamic", action="store_true", help="also score a model that learns from the text as it goes")
    parser.add_setting("unknown", _unknown(), "what to do with characters that the model lacks [error]", metavar="POLICY")
    parser.add_setting("data.encoding", str, "encoding of FILE [that of training]", metavar="NAME")
    parser.add_setting("streams", int, "parts that run side by side; 1 for the single pass [16]", metavar="N")
    parser.add_setting("warmup", int, "characters that each part reads before the scored ones [1024]", metavar="N")
    add_fields(parser, default, title="dynamic evaluation", prefix="dynamic.")
    return parser


def _unknown() -> Any:
    from seqnets.data.token_kinds import UnknownPolicy

    return UnknownPolicy


def _scores(run: Any, text: Any, found: argparse.Namespace, dynamic: Any) -> dict[str, Any]:
    from seqnets.decode import dynamic_score, score

    options = {name: getattr(found, name) for name in ("streams", "warmup") if hasattr(found, name)}
    with _bar("scoring") as progress:
        scores = {"static": score(run.model, text, **options, progress=progress)}
    if dynamic is not None:
        with _bar("learning") as progress:
            scores["dynamic"] = dynamic_score(run.model, text, config=dynamic, progress=progress)
    return scores


def _report(scores: dict[str, Any], name: str, unknown: int, found: argparse.Namespace) -> None:
    if found.json:
        figures = {**scores["static"].to_json(), "unknown": unknown, "run": found.run, "text": name}
        print(json.dumps({**figures, **{kind: s.to_json() for kind, s in scores.items() if kind != "static"}}))
        return
    for kind, result in scores.items():
        print(f"{name}: {result}" if kind == "static" else f"{name}, {kind} evaluation: {result}")
    if unknown:
        print(f"{name}: {_unknown_words(scores['static'].characters, unknown, found.unknown)}")


def _unknown_words(scored: int, unknown: int, policy: str) -> str:
    from seqnets.data.text.differences import unknown_words

    read = 1 + scored  # the first character is not scored, but is part of the text
    return unknown_words(unknown, read + (unknown if policy == "skip" else 0), policy)


@contextmanager
def _bar(title: str) -> Iterator[Callable[[int, int], None] | None]:
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title)
        yield lambda done, total: bar.update(task, completed=done, total=total)
