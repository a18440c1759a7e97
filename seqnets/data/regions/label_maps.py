"""Folders of pictures and of label maps with the same names, as CamVid and SegNet have them."""

from pathlib import Path

import numpy as np
from PIL import Image

from seqnets.data.images.folder import SPLITS
from seqnets.data.images.labels import read_labels
from seqnets.data.images.names import EXTENSIONS
from seqnets.data.regions.checking import Faults
from seqnets.data.regions.examples import IGNORED, RegionExample, read_label_map
from seqnets.errors import UserError

_ENDS = ("_labels", "annot", "_annot", "_masks", "_mask", "-labels")
_BESIDE = ("labels", "masks", "annotations", "SegmentationClass")
_NAMES = ("classes.txt", "labels.txt", "classes.json")
_UNLABELED = {"unlabelled", "unlabeled", "void", "ignore", "ignored"}


def folders_of_maps(folder: Path) -> dict[str, tuple[Path, Path]]:
    """Return the folder of pictures and that of maps for each split; empty if there are none."""
    found = {}
    for split, words in SPLITS.items():
        pairs = [(folder / word, folder / f"{word}{end}") for word in words for end in _ENDS]
        pairs += [(folder / "images" / word, folder / beside / word) for word in words for beside in _BESIDE]
        if split == "train":
            pairs += [(folder / one, folder / beside) for one in ("images", "JPEGImages") for beside in _BESIDE]
        pair = next((pair for pair in pairs if pair[0].is_dir() and pair[1].is_dir() and any(pair[1].glob("*.png"))), None)
        if pair and (split == "train" or "train" in found):
            found[split] = pair
    return found


def read_label_maps(
    folder: Path, faults: Faults, ignore: int = IGNORED
) -> tuple[dict[str, list[RegionExample]], tuple[str, ...]]:
    """Read the pictures of every split with their maps.

    Args:
        folder: with train/ and train_labels/ (val/ and val_labels/, ...), or images/ and labels/; classes.txt names the classes.
        faults: counts what was wrong.
        ignore: the number of pixels that do not count, besides 255. A class of the name void or unlabelled does not count either.

    Returns:
        The examples of each split, and the names of the classes of pixels.

    Raises:
        UserError: a map has more classes than names.
    """
    found = {split: _pairs(*pair, faults) for split, pair in folders_of_maps(folder).items()}
    names = next((tuple(read_labels(folder / name)) for name in _NAMES if (folder / name).is_file()), None)
    ignored = {ignore, *(number for number, name in enumerate(names or ()) if name.lower() in _UNLABELED)}
    count = max((_highest(example, ignored) for part in found.values() for example in part), default=0) + 1
    if names is not None and count > len(names):
        raise UserError(
            f"the maps of '{folder}' have the class {count - 1}, but there are only {len(names)} names; add the others"
        )
    if not found.get("train") or count < 2:
        raise UserError(f"the maps of '{folder}' have {count} class{'es' if count != 1 else ''} to learn; label at least two")
    classes = names or tuple(map(str, range(count)))
    while len(classes) - 1 in ignored:
        classes = classes[:-1]
    return {split: [_without(example, ignored) for example in part] for split, part in found.items()}, classes


def _pairs(pictures: Path, maps: Path, faults: Faults) -> list[RegionExample]:
    by_stem = {path.stem: path for path in sorted(maps.glob("*.png"))}
    found = []
    for path in sorted(path for path in pictures.iterdir() if path.suffix.lower() in EXTENSIONS):
        with Image.open(path) as image:  # the header alone
            size = image.height, image.width
        try:
            pixels = read_label_map(by_stem[path.stem], size)
        except (UserError, KeyError):
            faults.add("label map", path.name)
            continue
        found.append(RegionExample(path, path.name, size, label_map=pixels))
    return found


def _highest(example: RegionExample, ignored: set[int]) -> int:
    numbers = np.flatnonzero(np.bincount(np.asarray(example.label_map).ravel(), minlength=256))
    return max((int(number) for number in numbers if number not in ignored and number != IGNORED), default=0)


def _without(example: RegionExample, ignored: set[int]) -> RegionExample:
    table = np.arange(256, dtype=np.uint8)
    table[list(ignored)] = IGNORED
    return RegionExample(example.image, example.name, example.size, label_map=table[np.asarray(example.label_map)])
