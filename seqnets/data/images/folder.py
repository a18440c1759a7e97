"""Image files in folders: the name of a folder is the class of the images in it."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from seqnets.data.images.files import EXTENSIONS, ImageError, find_images
from seqnets.errors import UserError

SPLITS = {"train": ("train", "training"), "validation": ("val", "valid", "validation", "dev"), "test": ("test", "testing")}


class ImageFile(NamedTuple):
    """An image file, the class it belongs to, and its path below the folder that was given."""

    path: Path
    label: str
    name: str


def list_images(folder: Path) -> dict[str, list[ImageFile]]:
    """List the images of each split; all are for training where there are no folders train/, val/ and test/.

    Raises:
        UserError: no folder in it has images, or there is a val/ or test/ but no train/.

    Example:
        >>> list_images(Path(__file__).parent)
        Traceback (most recent call last):
        ...
        seqnets.errors.UserError: '...data' has no folders of images, one for each class; ...
    """
    parts = {name: part for name, words in SPLITS.items() if (part := _named(folder, words))}
    if not parts:
        return {"train": _classes(folder)}
    if "train" not in parts:
        raise UserError(f"'{folder}' has a folder {min(part.name for part in parts.values())}/ but no train/; add one")
    return {name: _classes(part) for name, part in parts.items()}


def _classes(folder: Path) -> list[ImageFile]:
    found = [image for part in _folders(folder) for image in _images(part)]
    if not found:
        loose = " (the images in it belong to no class)" if any(p.suffix.lower() in EXTENSIONS for p in folder.iterdir()) else ""
        raise UserError(
            f"'{folder}' has no folders of images, one for each class{loose}; "
            "give such a folder, or one with CIFAR's *.bin or MNIST's idx-ubyte files"
        )
    return found


def _images(folder: Path) -> Iterator[ImageFile]:
    try:
        paths = find_images([folder])
    except ImageError:  # an empty folder is no class
        return
    for path in paths:
        yield ImageFile(path, folder.name, path.relative_to(folder.parent).as_posix())


def _folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


def _named(folder: Path, words: tuple[str, ...]) -> Path | None:
    return next((path for path in _folders(folder) if path.name.lower() in words), None)
