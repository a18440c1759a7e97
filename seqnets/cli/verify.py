"""`seqnets verify RUN`: whether every file of a run folder is as it was written."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from seqnets.cli.parser import Parser
from seqnets.errors import UserError

SUMMARY = "check that the files of a run are as they were written"
_EPILOG = """\
Checkpoints and weights carry checksums of their arrays and files. Exit code 0: all is whole; 2: something is damaged.
Nothing is changed. `seqnets train` goes on from the newest whole checkpoint and moves damaged ones aside."""


class Finding(NamedTuple):
    """One part of a run folder, and what is wrong with it; None for nothing."""

    part: str
    damage: str | None


def main(argv: Sequence[str]) -> int:
    """Run the words after `seqnets verify`; see `seqnets verify --help`."""
    parser = Parser("seqnets verify", SUMMARY, epilog=_EPILOG)
    parser.add_argument("run", metavar="RUN", help="the folder of a run")
    parser.add_argument("--json", action="store_true", help="write a JSON list of parts, each with its damage or null")
    found = parser.read(argv)
    findings = list(inspect(Path(found.run)))
    if found.json:
        print(json.dumps([finding._asdict() for finding in findings], ensure_ascii=False))
    else:
        for part, damage in findings:
            print(f"{part:24} {damage or 'whole'}")
    damaged = [part for part, damage in findings if damage]
    if damaged:
        raise UserError(f"'{found.run}' is damaged: {', '.join(damaged)}")
    return 0


def inspect(folder: Path) -> Iterator[Finding]:
    """Yield what is found out about each part of a run folder.

    Raises:
        UserError: it is not a run folder.
    """
    from seqnets.checkpoint import Checkpoints
    from seqnets.run import CHECKPOINTS, CONFIG, METRICS, VOCABULARY, WEIGHTS, read_config, read_vocabulary, read_weights

    read_config(folder)
    yield Finding(CONFIG, None)
    for name, read in {VOCABULARY: read_vocabulary, WEIGHTS: read_weights, METRICS: _read_every_line}.items():
        if (folder / name).exists():
            yield _tried(name, read, folder / name)
    with Checkpoints(folder / CHECKPOINTS) as checkpoints:
        for step in checkpoints.steps():
            yield _tried(f"{CHECKPOINTS}/{step}", checkpoints.read, step)


def _tried(part: str, read, argument) -> Finding:
    try:
        read(argument)
    except UserError as error:
        return Finding(part, str(error))
    return Finding(part, None)


def _read_every_line(path: Path) -> None:
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        try:
            json.loads(line)
        except ValueError as error:
            raise UserError(f"line {number:,} is not JSON: {error}") from None
