"""`seqnets verify RUN`: check that no file of a run folder is damaged."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from seqnets.cli import runtime
from seqnets.cli.parser import Parser
from seqnets.cli.trained import add_run
from seqnets.cli.verbs import VERBS
from seqnets.errors import UserError

_EPILOG = """\
Every file that seqnets reads again has checksums: checkpoints and weights have those of their arrays and files, config.json has
its own and those of the smaller files. Files that an older seqnets wrote without checksums are listed as such. The exit code is
0 if nothing is damaged, else 2. Nothing is changed. `seqnets train` continues from the newest undamaged checkpoint and moves
damaged ones aside."""


class Finding(NamedTuple):
    """One part of a run folder, what is wrong with it (None for nothing), and whether it has a checksum."""

    part: str
    damage: str | None
    checksum: bool = True


def main(argv: Sequence[str]) -> int:
    """Run the arguments after `seqnets verify`; see `seqnets verify --help`."""
    parser = Parser("seqnets verify", VERBS["verify"].summary, epilog=_EPILOG)
    add_run(parser)
    parser.add_argument("--json", action="store_true", help="write a JSON list: part, damage or null, checksum or not")
    found = parser.read(argv)
    runtime.start()
    from seqnets.run import run_folder

    findings = list(inspect(run_folder(found.run)))
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
    """Yield the finding about each part of a run folder.

    Raises:
        UserError: it is not a run folder.
    """
    from seqnets.run import CHECKPOINTS, CONFIG, LEFT_OUT, read_config, read_listed

    listed = read_listed(folder)
    yield Finding(CONFIG, None, bool(listed))
    yield from _described(folder, listed)
    config = read_config(folder)
    train, published = config["train"], config.get(CHECKPOINTS) == LEFT_OUT
    # a model saved without training has no checkpoints, and neither has a published run
    saved, newest = _saved(folder) if train and not published else ([], None)
    yield from saved
    unfinished = saved and not _ended(newest, train)
    yield from _learned(folder, newest.record if newest else {}, unfinished=bool(unfinished))


def _saved(folder: Path) -> tuple[list[Finding], Any]:
    """Return the findings about the checkpoints, and the newest one if it is undamaged."""
    from seqnets.checkpoint import Checkpoints
    from seqnets.run import CHECKPOINTS, WEIGHTS

    found, newest = [], None
    with Checkpoints(folder / CHECKPOINTS) as checkpoints:
        for step in checkpoints.steps():
            finding, newest = _tried(f"{CHECKPOINTS}/{step}", checkpoints.read, step, checksum=checkpoints.is_listed(step))
            if step in checkpoints.steps():  # a running training deletes old checkpoints
                found.append(finding)
    if not found and (folder / WEIGHTS).exists():
        found.append(Finding(CHECKPOINTS, f"'{folder / CHECKPOINTS}' has no checkpoints: its training cannot continue"))
    return found, newest


def _described(folder: Path, listed: Mapping[str, Any]) -> Iterator[Finding]:
    from seqnets import settings
    from seqnets.run import SETTINGS, VOCABULARY, check_file, read_vocabulary

    def read_settings(path: Path) -> None:
        check_file(path)
        settings.read(path)

    others = dict.fromkeys(listed, check_file)
    for name, read in {**others, SETTINGS: read_settings, VOCABULARY: read_vocabulary}.items():
        if name in listed or (folder / name).exists():
            yield _tried(name, read, folder / name, checksum=name in listed)[0]


def _ended(newest: Any, train: Mapping[str, Any]) -> bool:
    """Return whether weights must exist: they are written at a best step and at the end."""
    return newest is not None and (bool(newest.record.get("best")) or newest.step == train.get("steps"))


def _learned(folder: Path, record: Mapping[str, Any], *, unfinished: bool) -> Iterator[Finding]:
    from seqnets.run import METRICS, WEIGHTS, check_file, damage_of_metrics, read_listed, read_weights, weights_digest

    best = record.get("best") or {}

    def check_weights(path: Path) -> None:
        if best.get("weights") not in (None, weights_digest(read_weights(path))):
            raise UserError(
                f"'{path}' does not hold the weights of step {best['step']:,}, the best; the command that trained them writes "
                "them again"
            )

    def check_metrics(path: Path) -> None:
        check_file(path)  # of a published run
        damage = damage_of_metrics(path, record) if record else None
        if damage or not path.is_file():
            raise UserError(damage or f"'{path}' is missing")
        _read_every_line(path)

    if not unfinished or (folder / WEIGHTS).exists():
        yield _tried(WEIGHTS, check_weights, folder / WEIGHTS)[0]
    has_checksum = "metrics_checksum" in record or METRICS in read_listed(folder)
    yield _tried(METRICS, check_metrics, folder / METRICS, checksum=has_checksum)[0]


def _tried(part: str, read: Callable[[Any], Any], argument: Any, *, checksum: bool = True) -> tuple[Finding, Any]:
    try:
        return Finding(part, None, checksum), read(argument)
    except UserError as error:
        return Finding(part, str(error), checksum), None


def _read_every_line(path: Path) -> None:
    from seqnets.decoders import json_value, read_bytes

    for number, line in enumerate(read_bytes(path).splitlines() if path.exists() else [], 1):
        json_value(line, path, line=number)
