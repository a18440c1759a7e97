"""Which images are for training, validation and test: by the captions file, by lists of names, or by the hash of each name."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path, PurePosixPath

import numpy as np

from seqnets.data.captions.caption_set import SPLITS, CaptionSet, known_split
from seqnets.data.examples.held_out import held_out
from seqnets.data.examples.tables import read_whole, text_lines
from seqnets.data.images.names import match_names, path_as_given
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
    names = _hashed(captions.names)
    test = held_out(names, test_fraction)
    rest = [name for name, out in zip(names, test) if not out]
    validation = np.zeros(len(names), bool)
    validation[~test] = held_out(rest, validation_fraction / (1 - test_fraction))
    splits = np.select([test, validation], ["test", "validation"], "train").tolist()
    return replace(captions, splits=tuple(splits))


def _hashed(names: Sequence[str]) -> list[str]:
    """Return file names, so that a folder may move; paths where several images have the same file name."""
    bare = [PurePosixPath(name).name for name in names]
    counts = Counter(bare)
    return [name if counts[short] > 1 else short for name, short in zip(names, bare)]


def split_by_lists(captions: CaptionSet, lists: SplitLists) -> CaptionSet:
    """Split by lists of image names, one name a line, as in Flickr8k and Flickr30k; an image in no list is left out.

    Args:
        captions: the images.
        lists: the file of each split, or a folder with files such as Flickr_8k.trainImages.txt, train.txt, dev.txt, test.txt.
            Names may lack their extension, and their folders where only one image has that name.

    Raises:
        UserError: a list is missing, an image is in two lists, or no image is in any.
    """
    split_of: dict[str, str] = {}
    for split, path in _files(lists).items():
        for name in _names(path):
            if split_of.setdefault(name, split) != split:
                raise UserError(f"image {name!r} is in two lists, {split_of[name]} and {split}; keep it in one")
    listed = list(split_of)
    matches = match_names(listed, captions.names)
    splits = [""] * len(captions)
    for name, place in zip(listed, matches.places):
        if place is not None:
            if splits[place] not in ("", split_of[name]):
                raise UserError(
                    f"image {captions.names[place]!r} is in two lists, {splits[place]} and {split_of[name]}; keep it in one"
                )
            splits[place] = split_of[name]
    if not any(splits):
        raise UserError(f"none of the {len(splits):,} images with captions is in the lists; the lists must name their files")
    kept = replace(captions, splits=tuple(splits)).where(map(bool, splits))
    bare = [name for name, place in zip(listed, matches.places) if place is None and name not in set(matches.shared)]
    return replace(kept, remarks=(*kept.remarks, *_remarks(captions, kept, len(listed), bare, matches.shared)))


def _remarks(captions: CaptionSet, kept: CaptionSet, listed: int, bare: Sequence[str], shared: Sequence[str]) -> Iterator[str]:
    if len(kept) < len(captions):
        yield f"{len(captions) - len(kept):,} of {len(captions):,} images are in no list and left out"
    if bare:
        yield f"{len(bare):,} of {listed:,} images in the lists have no caption ({_shown(bare)})"
    if shared:
        what = "names in the lists match several images, or the image of another name, and are ignored"
        yield f"{len(shared):,} of {listed:,} {what} ({_shown(shared)})"


def _shown(names: Sequence[str]) -> str:
    return ", ".join([*names[:3], *(["..."] if len(names) > 3 else [])])


def _files(lists: SplitLists) -> dict[str, Path]:
    if isinstance(lists, Mapping):
        return {known_split(split, f"the list '{path}'"): Path(path) for split, path in lists.items()}
    folder = Path(lists)
    if not folder.is_dir():
        raise UserError(f"'{folder}' is not a folder; give the folder with the lists, such as Flickr_8k.trainImages.txt")
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
    return [path_as_given(line) for line in text_lines(read_whole(path)) if line.strip()]
