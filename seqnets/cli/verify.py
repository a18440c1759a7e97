"""`seqnets verify RUN`: whether every file of a run folder is as it was written."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from seqnets.cli import runtime
from seqnets.cli.parser import Parser
from seqnets.cli.verbs import VERBS
from seqnets.errors import UserError

_EPILOG = """\
All that seqnets reads again has checksums: checkpoints and weights those of their arrays and files, config.json its own and
those of the smaller files; where an older seqnets wrote none, that is told. Exit code 0: all is whole; 2: something is damaged.
Nothing is changed. `seqnets train` goes on from the newest whole checkpoint and moves damaged ones aside."""


class Finding(NamedTuple):
    """One part of a run folder, what is wrong with it (None for nothing), and whether it has a checksum."""

    part: str
    damage: str | None
    checksum: bool = True


def main(argv: Sequence[str]) -> int:
    """Run the words after `seqnets verify`; see `seqnets verify --help`."""
    parser = Parser("seqnets verify", VERBS["verify"].summary, epilog=_EPILOG)
    parser.add_argument("run", metavar="RUN", help="the folder of a run")
    parser.add_argument("--json", action="store_true", help="write a JSON list: part, damage or null, checksum or not")
    found = parser.read(argv)
    runtime.start()
    findings = list(inspect(Path(found.run)))
    if found.json:
        print(json.dumps([finding._asdict() for finding in findings]))
    else:
        for part, damage, checksum in findings:
            print(f"{part:24} {damage or ('whole' if checksum else 'can be read, but has no checksum')}")
    damaged = [finding.part for finding in findings if finding.damage]
    if damaged:
        raise UserError(f"'{found.run}' is damaged: {', '.join(damaged)}")
    return 0


def inspect(folder: Path) -> Iterator[Finding]:
    """Yield what is found out about each part of a run folder.

    Raises:
        UserError: it is not a run folder.
    """
    from seqnets.checkpoint import Checkpoints
    from seqnets.run import CHECKPOINTS, CONFIG, read_listed

    listed, record = read_listed(folder), {}
    yield Finding(CONFIG, None, bool(listed))
    yield from _described(folder, listed)
    with Checkpoints(folder / CHECKPOINTS) as checkpoints:
        for step in checkpoints.steps():
            found, checkpoint = _tried(f"{CHECKPOINTS}/{step}", checkpoints.read, step, checksum=checkpoints.is_listed(step))
            record = checkpoint.record if checkpoint else record
            yield found
    yield from _learned(folder, record)


def _described(folder: Path, listed: Mapping[str, Any]) -> Iterator[Finding]:
    from seqnets import settings
    from seqnets.run import SETTINGS, VOCABULARY, check_file, read_vocabulary

    def read_settings(path: Path) -> None:
        check_file(path)
        settings.read(path)

    for name, read in {SETTINGS: read_settings, VOCABULARY: read_vocabulary}.items():
        if name in listed or (folder / name).exists():
            yield _tried(name, read, folder / name, checksum=name in listed)[0]


def _learned(folder: Path, record: Mapping[str, Any]) -> Iterator[Finding]:
    from seqnets.run import METRICS, WEIGHTS, damage_of_metrics, read_weights

    def read_metrics(path: Path) -> None:
        damage = damage_of_metrics(path, record) if record else None
        if damage:
            raise UserError(damage)
        _read_every_line(path)

    if record.get("best") or (folder / WEIGHTS).exists():
        yield _tried(WEIGHTS, read_weights, folder / WEIGHTS)[0]
    if record or (folder / METRICS).exists():
        yield _tried(METRICS, read_metrics, folder / METRICS, checksum="metrics_checksum" in record)[0]


def _tried(part: str, read: Callable[[Any], Any], argument: Any, *, checksum: bool = True) -> tuple[Finding, Any]:
    try:
        return Finding(part, None, checksum), read(argument)
    except UserError as error:
        return Finding(part, str(error), checksum), None


def _read_every_line(path: Path) -> None:
    from seqnets.decoders import json_value, read_bytes

    for number, line in enumerate(read_bytes(path).splitlines() if path.exists() else [], 1):
        json_value(line, path, line=number)
