"""`seqnets evaluate RUN [FILE ...]`: how well a trained model predicts a text."""

import argparse
import dataclasses
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

STDIN = "-"
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
    text, name, unknown = _text(run, found) if found.file else (*_own_split(run, found.split or SPLITS[0]), 0)
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


def _own_split(run: Any, split: str) -> tuple[Any, str]:
    from seqnets import settings
    from seqnets.data import read_text
    from seqnets.run import SETTINGS

    config = _settings(run)
    if "corpus" not in settings.read(run.directory / SETTINGS):
        raise UserError(f"'{run.directory}' does not record its text; give the text as FILE")
    if STDIN in config.corpus and sys.stdin.isatty():
        raise _unknown_text(run)
    try:
        corpus = read_text(*config.corpus, config=config.data, vocabulary=run.vocabulary)
    except UserError as error:
        if STDIN in config.corpus:
            raise _unknown_text(run) from None
        raise UserError(f"the text that '{run.directory}' was trained on cannot be read again: {error}") from None
    if corpus.fingerprint()["text"] != run.config["data"].get("text"):
        raise UserError(f"the text that '{run.directory}' was trained on has changed since; give it as FILE to score it as it is")
    return getattr(corpus, split), f"{split} split"


def _unknown_text(run: Any) -> UserError:
    return UserError(f"'{run.directory}' was trained on standard input; pipe the same text into this command, or give it as FILE")


def _text(run: Any, found: argparse.Namespace) -> tuple[Any, str, int]:
    from seqnets.data import read_text

    data = _settings(run).data
    encoding = getattr(found, "data.encoding", data.encoding)
    config = dataclasses.replace(data, window=1, validation_fraction=0.0, test_fraction=0.0, encoding=encoding)
    corpus = read_text(*found.file, config=config, vocabulary=run.vocabulary, unknown=getattr(found, "unknown", "error"))
    return corpus.train, ", ".join(found.file), corpus.unknown


def _settings(run: Any) -> Any:
    from seqnets import settings
    from seqnets.run import SETTINGS, check_file
    from seqnets.tasks.text import TextRunConfig

    path = run.directory / SETTINGS
    check_file(path)
    return settings.replaced(TextRunConfig(), settings.read(path), str(path))


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
