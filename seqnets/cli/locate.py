"""`seqnets locate RUN IMAGES`: a thing and its box, or a person's joints."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from seqnets.cli.found_pictures import parser_of, run_verb

_EPILOG = """\
Boxes are left, top, right, bottom, and joints x, y, in pixels of the image. An image that cannot be read is reported on standard
error and left out; the exit code is 2 if none could be read.

example:
  seqnets locate runs/birds photo.jpg --figure found.png"""


def main(argv: Sequence[str]) -> int:
    """Run the arguments after `seqnets locate`; see `seqnets locate --help`."""
    found = parser_of("locate", "localizer", "seqnets locate RUN IMAGES... [--figure FILE] [--json]", _EPILOG).read(argv)
    return run_verb(found, "localizer", _compute, _show)


def _compute(model: Any, paths: Sequence[Path], batch: int) -> Any:
    from seqnets.decode.localization import locate

    return locate(model, paths, batch=batch)


def _show(path: Path, result: Any, found: Any) -> dict[str, Any]:
    entry = result.to_json()
    if not found.json:
        places = [f"{name} {x:.0f},{y:.0f}" for name, (x, y) in result.joints.items()]
        box = result.box and f"{result.label} {result.score:.1%} at {', '.join(f'{side:.1f}' for side in result.box)}"
        print(f"{path}: {box or '; '.join(places)}", flush=True)
    return entry
