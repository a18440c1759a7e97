"""`seqnets detect RUN IMAGES`: all things in images, with their boxes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from seqnets import settings
from seqnets.cli.found_pictures import parser_of, run_verb

_EPILOG = """\
Boxes are left, top, right, bottom in pixels of the image. --json prints COCO's results form, a list of {image_id, file,
category, bbox: [left, top, width, height], score}, where image_id is the number in the file's name, or its stem; with masks
also segmentation (run lengths), with joints also keypoints (x, y and 1 of each). An image that
cannot be read is reported on standard error and left out; the exit code is 2 if none could be read.

example:
  seqnets detect runs/streets photo.jpg --least 0.3 --figure found.png"""


def main(argv: Sequence[str]) -> int:
    """Run the arguments after `seqnets detect`; see `seqnets detect --help`."""
    usage = "seqnets detect RUN IMAGES... [--least SCORE] [--figure FILE] [--json]"
    parser = parser_of("detect", "detector", usage, _EPILOG)
    parser.add_argument(
        "--least", type=parser.value(float), default=None, metavar="SCORE", help="the lowest score [0.5; 0 with --json]"
    )
    found = parser.read(argv)
    if found.least is None:
        found.least = 0.0 if found.json else 0.5
    settings.RATE.check("--least", found.least)
    return run_verb(found, "detector", lambda model, paths, batch: _compute(model, paths, batch, found.least), _show, flat=True)


def _compute(model: Any, paths: Sequence[Path], batch: int, least: float) -> Any:
    from seqnets.decode.detection import detect
    from seqnets.errors import UserError

    return (one if isinstance(one, UserError) else one.above(least) for one in detect(model, paths, batch=batch))


def _show(path: Path, result: Any, found: Any) -> list[dict[str, Any]]:
    if not found.json:
        shown = [f"{thing.name} {thing.score:.1%} at {', '.join(f'{side:.1f}' for side in thing.box)}" for thing in result.things]
        print(f"{path}: {'; '.join(shown) or 'nothing'}", flush=True)
    from seqnets.data.captions import image_ids

    (number,) = image_ids([path.as_posix()])
    return [{"image_id": number, "file": str(path), **_entry(thing)} for thing in result.things]


def _entry(thing: Any) -> dict[str, Any]:
    left, top, right, bottom = thing.box
    bbox = [round(side, 2) for side in (left, top, right - left, bottom - top)]
    entry = {"category": thing.label, "bbox": bbox, "score": round(thing.score, 5)}
    if thing.mask is not None:
        from seqnets.data.regions.masks import mask_to_json

        entry["segmentation"] = mask_to_json(thing.mask)
    if thing.joints is not None:
        entry["keypoints"] = [value for x, y in thing.joints.values() for value in (round(x, 2), round(y, 2), 1)]
    if thing.phrase:
        entry["caption"] = thing.phrase
    return entry
