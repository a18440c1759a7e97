"""Which images train, validate and test: by the captions file, by lists of names, or by the hash of each name."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from os import PathLike
from pathlib import Path, PurePosixPath

import numpy as np

from seqnets.data.captions.caption_set import SPLITS, CaptionSet, known_split
from seqnets.data.examples.held_out import held_out
from seqnets.data.examples.tables import read_whole
from seqnets.errors import UserError

SplitLists = Mapping[str, str | PathLike[str]] | str | PathLike[str]


def split_by_hash(captions: CaptionSet, *, validation_fraction: float = 0.1, test_fraction: float = 0.1) -> CaptionSet:
    """Split by the hash of the images' names: the same images get the same splits on any machine, in any order.

    Args:
        captions: the images.
        validation_fraction: share of the images to validate on.
        test_fraction: share of the images to test on.

    Raises:
        UserError: a share is out of range, or there are too few images.
    """
    if validation_fraction + test_fraction >= 1:
        raise UserError(f"shares of {validation_fraction} and {test_fraction} to validate and to test leave nothing to train on")
    names = [PurePosixPath(image).name for image in captions.images]
    test = held_out(names, test_fraction)
    rest = [name for name, out in zip(names, test) if not out]
    validation = np.zeros(len(names), bool)
    validation[~test] = held_out(rest, validation_fraction / (1 - test_fraction))
    splits = np.select([test, validation], ["test", "validation"], "train").tolist()
    return replace(captions, splits=tuple(splits))


def split_by_lists(captions: CaptionSet, lists: SplitLists) -> CaptionSet:
    """Split by lists of image names, one name a line, as Flickr8k and Flickr30k have them; an image in no list is left out.

    Args:
        captions: the images.
        lists: the file of each split, or a folder with files such as Flickr_8k.trainImages.txt, train.txt, dev.txt, test.txt.
            Names may lack their ending.

    Raises:
        UserError: a list is missing, an image is in two, or no image is in any.
    """
    split_of: dict[str, str] = {}
    for split, path in _files(lists).items():
        for name in _names(path):
            if split_of.setdefault(name, split) != split:
                raise UserError(f"image {name!r} is in two lists, {split_of[name]} and {split}; keep it in one")
    paths = map(PurePosixPath, captions.images)
    splits = [split_of.get(path.name, split_of.get(path.stem, "")) for path in paths]
    if not any(splits):
        raise UserError(f"none of the {len(splits):,} images with captions is in the lists; the lists must name their files")
    kept = replace(captions, splits=tuple(splits)).where(map(bool, splits))
    return replace(kept, remarks=(*kept.remarks, *_remarks(captions, kept, split_of)))


def _remarks(captions: CaptionSet, kept: CaptionSet, split_of: Mapping[str, str]) -> Iterator[str]:
    if len(kept) < len(captions):
        yield f"{len(captions) - len(kept):,} of {len(captions):,} images are in no list and left out"
    known = {part for image in captions.images for part in (PurePosixPath(image).name, PurePosixPath(image).stem)}
    bare = [name for name in split_of if name not in known]
    if bare:
        shown = ", ".join([*bare[:3], *(["..."] if len(bare) > 3 else [])])
        yield f"{len(bare):,} of {len(split_of):,} images in the lists have no caption ({shown})"


def _files(lists: SplitLists) -> dict[str, Path]:
    if isinstance(lists, Mapping):
        return {known_split(split, f"the list '{path}'"): Path(path) for split, path in lists.items()}
    folder = Path(lists)
    if not folder.is_dir():
        raise UserError(f"'{folder}' is no folder; give the folder with the lists of images, such as Flickr_8k.trainImages.txt")
    found = {split: _one(folder, split) for split in SPLITS}
    if not any(found.values()):
        raise UserError(f"'{folder}' has no lists of images; looked for *train*.txt, *dev*.txt or *val*.txt, and *test*.txt")
    return {split: path for split, path in found.items() if path}


def _one(folder: Path, split: str) -> Path | None:
    words = {"train": ("train",), "validation": ("dev", "val"), "test": ("test",)}[split]
    names = [path for path in sorted(folder.glob("*.txt")) if any(word in path.name.lower() for word in words)]
    if len(names) > 1:
        raise UserError(f"'{folder}' has several lists for {split} ({', '.join(path.name for path in names)}); name one of them")
    return names[0] if names else None


def _names(path: Path) -> list[str]:
    return [PurePosixPath(line.strip().replace("\\", "/")).name for line in read_whole(path).splitlines() if line.strip()]
