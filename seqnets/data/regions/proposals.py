"""Proposals: boxes of each picture that may hold a thing, from a file or by graph segmentation."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from seqnets import places
from seqnets.data.fingerprint import digest_of
from seqnets.data.images.files import ImageError
from seqnets.data.read_ahead import read_ahead
from seqnets.data.regions import selective_search
from seqnets.data.regions.checking import Faults, checked
from seqnets.data.regions.examples import RegionExample, RegionSet
from seqnets.data.regions.loader import pixels_of
from seqnets.decoders import named, read_arrays, read_json, reading
from seqnets.errors import UserError
from seqnets.files import whole_file

_WHAT = "the file of proposals"
_FORMS = (
    'give JSON of {"photo.jpg": [[left, top, right, bottom], ...], ...} or of COCO\'s results, [{"file" or "image_id", "bbox": '
    '[left, top, width, height], "score"}, ...], or an .npz with an array (P, 4) of corners for each picture'
)

Tell = Callable[[str], None]
Boxes = Mapping[str, np.ndarray]


def with_proposals(regions: RegionSet, file: str, count: int, tell: Tell) -> RegionSet:
    """Return pictures with their proposals, which lie within them and have an area.

    Args:
        regions: the pictures.
        file: of proposals; empty for graph segmentation, whose result is kept in the user's cache.
        count: the largest number for a picture, the likeliest first.
        tell: called with sentences about what is left out, and about what takes time.

    Raises:
        UserError: the file cannot be read, or has nothing for any of the pictures; or scikit-image is needed and not installed.
    """
    faults = Faults()
    found = _of_file(Path(file), regions, faults) if file else _by_segments(regions, count, tell)
    splits = {
        split: tuple(replace(example, proposals=_usable(example, boxes, faults)[:count]) for example, boxes in zip(examples, own))
        for (split, examples), own in zip(regions.splits.items(), found, strict=True)
    }
    for remark in faults.remarks():
        tell(remark)
    return replace(regions, splits=splits)


def read_proposals(path: Path) -> Boxes:
    """Read a file of proposals.

    Args:
        path: JSON of corners by picture, or of COCO's results, as `seqnets detect --json` writes it; or .npz of corners.

    Returns:
        Boxes `(P, 4)` for each picture, those with the highest score first: left, top, right, bottom in pixels.

    Raises:
        UserError: it cannot be read, or has another form.
    """
    if path.suffix.lower() == ".npz":
        found: Any = read_arrays(path, _WHAT)
    else:
        found = read_json(path, _WHAT)
    with reading(path, _WHAT, _FORMS):
        if isinstance(found, list):
            return _of_results(found)
        return {str(name): _corners(boxes) for name, boxes in found.items()}


def _corners(boxes: Any) -> np.ndarray:
    array = np.asarray(boxes, np.float32)
    if array.size and (array.ndim != 2 or array.shape[1] != 4):
        raise ValueError(f"boxes of shape {array.shape} are not (P, 4)")
    return array.reshape(-1, 4)


def _of_results(entries: list[Any]) -> Boxes:
    rows: dict[str, list[tuple[float, list[float]]]] = defaultdict(list)
    for entry in entries:
        left, top, width, height = map(float, entry["bbox"])
        name = str(entry["file"] if "file" in entry else entry["image_id"])
        rows[name].append((float(entry.get("score", 0)), [left, top, left + width, top + height]))
    return {name: _corners([box for _, box in sorted(own, key=lambda row: -row[0])]) for name, own in rows.items()}


def _of_file(path: Path, regions: RegionSet, faults: Faults) -> list[list[np.ndarray]]:
    boxes = read_proposals(path)
    keys = {key: name for name in boxes for key in _keys(name)}
    used, parts = set[str](), []
    for examples in regions.splits.values():
        names = [next((keys[key] for key in _keys(example.name) if key in keys), None) for example in examples]
        used |= {name for name in names if name is not None}
        parts.append([np.zeros((0, 4), np.float32) if name is None else boxes[name] for name in names])
    if not used:
        first, names = regions.splits["train"][0].name, ", ".join(sorted(boxes)[:3]) or "none"
        raise UserError(
            f"{named(path, _WHAT)} has nothing for any picture, such as '{first}'; it names {names}; give another one"
        )
    for name in sorted(boxes.keys() - used):
        faults.add("other picture", name)
    return parts


def _keys(name: str) -> Iterator[str]:
    """Yield the names that a picture may go by: its file's, without the extension, and the number in it."""
    file = PurePosixPath(name.replace("\\", "/"))
    yield file.name
    yield file.stem
    if (number := file.stem.rpartition("_")[2]).isdecimal():
        yield str(int(number))


def _usable(example: RegionExample, boxes: np.ndarray, faults: Faults) -> np.ndarray:
    own = Faults()
    zeros = np.zeros(len(boxes), np.int32)
    bare = RegionExample(example.image, example.name, example.size, boxes, zeros, zeros > 0, zeros.astype(np.float32))
    kept = checked(bare, own).boxes
    for fault, count in own.counts.items():
        faults.add("no proposals" if fault == "no boxes" else f"proposal {fault}", example.name, count)
    return kept


def _by_segments(regions: RegionSet, count: int, tell: Tell) -> list[list[np.ndarray]]:
    """Return the boxes of each picture, of one split after the other."""
    settings = f"{selective_search.COLOR_SPACES} {selective_search.SCALES} {count}"
    digest = digest_of({name: np.array([str(value)]) for name, value in {**regions.fingerprint(), "how": settings}.items()})
    try:
        path = places.cache_folder("proposals") / f"{digest}.npz"
    except OSError:
        path = None
    sizes = [len(examples) for examples in regions.splits.values()]
    flat = None if path is None else _kept(path, sum(sizes))
    if flat is None:
        kept = f"; they are kept in '{path.parent}'" if path else ""
        tell(f"proposing boxes for {sum(sizes):,} pictures by graph segmentation{kept}")
        every = [example for examples in regions.splits.values() for example in examples]
        flat = list(read_ahead(partial(_of_picture, count=count), every))
        if path is not None:
            _keep(path, flat)
    return [flat[start:stop] for start, stop in pairwise(np.cumsum([0, *sizes]).tolist())]


def _of_picture(example: RegionExample, count: int) -> np.ndarray:
    try:
        return selective_search.propose(pixels_of(example, "rgb"), count)
    except ImageError:  # reported where the picture is needed
        return np.zeros((0, 4), np.float32)


def _kept(path: Path, pictures: int) -> list[np.ndarray] | None:
    try:
        found = read_arrays(path) if path.is_file() else {}
    except UserError:  # damaged: made again
        return None
    counts, boxes = found.get("counts", np.zeros(0, int)), found.get("boxes", np.zeros((0, 4), np.float32))
    if counts.shape != (pictures,) or boxes.shape != (counts.sum(), 4):
        return None
    return np.split(boxes, np.cumsum(counts)[:-1])


def _keep(path: Path, boxes: list[np.ndarray]) -> None:
    try:
        with whole_file(path) as file:
            np.savez_compressed(file, counts=np.array([len(own) for own in boxes]), boxes=np.concatenate(boxes))
    except OSError:  # it is only quicker with it
        return
