"""The image files that captions name: where they are, which are missing, which cannot be read."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from seqnets.data.captions.caption_set import CaptionSet
from seqnets.data.images.array import damaged
from seqnets.data.images.names import match_names
from seqnets.errors import UserError

_SHOWN = 3


@dataclass(frozen=True)
class Absent:
    """Captioned images that cannot be used.

    Args:
        missing: names without a file.
        damaged: what is wrong with each unreadable file.
        among: the total number of images.
        shared: names that several files, or several names of one file, share.

    Example:
        >>> str(Absent(("a.jpg", "b.jpg"), (), 100))
        '2 of 100 images are missing (a.jpg, b.jpg)'
    """

    missing: tuple[str, ...]
    damaged: tuple[str, ...]
    among: int
    shared: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.missing or self.damaged or self.shared)

    def __str__(self) -> str:
        ambiguous = "given names that match several files, or the file of another image"
        parts = [("missing", self.missing, ", "), (ambiguous, self.shared, ", "), ("damaged", self.damaged, "; ")]
        said = (f"{_of(len(names), self.among)} {what} ({_listed(names, between)})" for what, names, between in parts if names)
        return ", ".join(said)


def with_pictures(captions: CaptionSet, folder: str | os.PathLike[str], *, decode: bool = True) -> tuple[CaptionSet, Absent]:
    """Find the image files of captions; missing and unreadable images are left out and reported.

    A name is looked up as a path below the folder, then by its last parts, as `match_names` does; a name that matches
    several files equally well matches none of them.

    Args:
        captions: names of images.
        folder: where the files are.
        decode: open every image to check that it is complete; otherwise only missing files are noticed.

    Returns:
        The usable images with their paths, and a report of the others.

    Raises:
        UserError: the folder does not exist, or has none of the images.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UserError(f"'{folder}' is not a folder; give the folder with the images")
    paths, shared = _located(captions.images, folder)
    missing = tuple(name for name, path in zip(captions.images, paths) if path is None and name not in set(shared))
    if len(missing) == len(captions):
        names = _listed(missing, ", ")
        raise UserError(f"none of the {len(captions):,} images with captions is in '{folder}' (looked for {names})")
    there = dict.fromkeys(str(path) for path in paths if path is not None)
    errors = damaged(list(there)) if decode else {}
    kept = [path is not None and str(path) not in errors for path in paths]
    absent = Absent(missing, tuple(errors.values()), len(captions), shared)
    if not any(kept):
        raise UserError(f"none of the images in '{folder}' can be used: {absent}")
    found = replace(captions, images=tuple("" if path is None else str(path) for path in paths)).where(kept)
    return replace(found, remarks=(*found.remarks, *([str(absent)] if absent else []))), absent


def _located(names: tuple[str, ...], folder: Path) -> tuple[list[Path | None], tuple[str, ...]]:
    direct = [_below(folder, name) for name in names]
    if all(path is not None for path in direct):
        return direct, ()
    paths = sorted(_files(folder))
    found = match_names(names, [path.relative_to(folder).as_posix() for path in paths], root=os.path.abspath(folder))
    return [None if place is None else paths[place] for place in found.places], found.shared


def _below(folder: Path, name: str) -> Path | None:
    pure = PurePosixPath(name)
    if pure.is_absolute() or ".." in pure.parts:
        return None
    path = folder / pure
    return path if path.is_file() else None


def _files(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder):
        folders[:] = (name for name in folders if not name.startswith("."))
        yield from (Path(parent, name) for name in names if not name.startswith("."))


def _of(count: int, among: int) -> str:
    return f"{count:,} of {among:,} images {'is' if count == 1 else 'are'}"


def _listed(names: tuple[str, ...], between: str) -> str:
    return between.join([*names[:_SHOWN], *(["..."] if len(names) > _SHOWN else [])])
