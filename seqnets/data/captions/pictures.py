"""The image files that captions speak of: where they lie, which are missing, which cannot be read."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from seqnets.data.captions.caption_set import CaptionSet
from seqnets.data.images.array import damaged
from seqnets.data.images.files import EXTENSIONS
from seqnets.errors import UserError

_SHOWN = 3


@dataclass(frozen=True)
class Absent:
    """Images with captions that cannot be used.

    Args:
        missing: names without a file.
        damaged: what is wrong with each file that cannot be read.
        among: the number of all images.

    Example:
        >>> str(Absent(("a.jpg", "b.jpg"), (), 100))
        '2 of 100 images are missing (a.jpg, b.jpg)'
    """

    missing: tuple[str, ...]
    damaged: tuple[str, ...]
    among: int

    def __bool__(self) -> bool:
        return bool(self.missing or self.damaged)

    def __str__(self) -> str:
        parts = [("missing", self.missing, ", "), ("damaged", self.damaged, "; ")]
        said = (f"{_of(len(names), self.among)} {what} ({_listed(names, between)})" for what, names, between in parts if names)
        return ", ".join(said)


def with_pictures(captions: CaptionSet, folder: str | os.PathLike[str], *, decode: bool = True) -> tuple[CaptionSet, Absent]:
    """Find the image files of captions; images that are missing or cannot be read are left out and told.

    A name is looked up as a path below the folder, then as a file name anywhere below it, then without its ending.

    Args:
        captions: names of images.
        folder: where the files are.
        decode: open every image to see whether it is whole; without it only those that are missing are found.

    Returns:
        The images that are there, with their paths; and the others.

    Raises:
        UserError: the folder does not exist, or none of the images is there.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UserError(f"'{folder}' is not a folder; give the folder with the images")
    paths = _located(captions.images, folder)
    missing = tuple(name for name, path in zip(captions.images, paths) if path is None)
    if len(missing) == len(captions):
        names = _listed(missing, ", ")
        raise UserError(f"none of the {len(captions):,} images with captions is in '{folder}' (looked for {names})")
    there = dict.fromkeys(str(path) for path in paths if path is not None)
    errors = damaged(list(there)) if decode else {}
    kept = [path is not None and str(path) not in errors for path in paths]
    absent = Absent(missing, tuple(errors.values()), len(captions))
    if not any(kept):
        raise UserError(f"none of the images in '{folder}' can be used: {absent}")
    found = replace(captions, images=tuple("" if path is None else str(path) for path in paths)).where(kept)
    return replace(found, remarks=(*found.remarks, *([str(absent)] if absent else []))), absent


def _located(names: tuple[str, ...], folder: Path) -> list[Path | None]:
    direct = [_below(folder, name) for name in names]
    if all(path is not None for path in direct):
        return direct
    index = _index(folder)
    return [path or _indexed(index, PurePosixPath(name)) for name, path in zip(names, direct)]


def _below(folder: Path, name: str) -> Path | None:
    pure = PurePosixPath(name)
    if pure.is_absolute() or ".." in pure.parts:
        return None
    path = folder / pure
    return path if path.is_file() else None


def _index(folder: Path) -> Mapping[str, Path]:
    found: dict[str, Path] = {}
    for path in sorted(_files(folder), reverse=True):  # of equal names, the first counts
        found[path.name.lower()] = path
        if path.suffix.lower() in EXTENSIONS:
            found[f"{path.stem.lower()}\0"] = path
    return found


def _files(folder: Path) -> Iterator[Path]:
    for parent, _, names in os.walk(folder):
        yield from (Path(parent, name) for name in names)


def _indexed(index: Mapping[str, Path], name: PurePosixPath) -> Path | None:
    found = index.get(name.name.lower())
    return found or (index.get(f"{name.name.lower()}\0") if name.suffix.lower() not in EXTENSIONS else None)


def _of(count: int, among: int) -> str:
    return f"{count:,} of {among:,} images {'is' if count == 1 else 'are'}"


def _listed(names: tuple[str, ...], between: str) -> str:
    return between.join([*names[:_SHOWN], *(["..."] if len(names) > _SHOWN else [])])
