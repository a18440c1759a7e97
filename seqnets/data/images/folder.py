"""Image files in folders: the name of a folder is the class of the images in it."""

from collections.abc import Callable, Iterator
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


def list_images(folder: Path, tell: Callable[[str], None] = lambda sentence: None) -> dict[str, list[ImageFile]]:
    """List the images of each split; without folders train/, val/ and test/, all are for training.

    A folder with such a name is a class if it holds images itself and other classes are beside it.

    Args:
        folder: folder of the images.
        tell: called with a sentence about skipped files and folders.

    Raises:
        UserError: no folder in it has images, or there is a val/ or test/ but no train/.

    Example:
        >>> list_images(Path(__file__).parent)
        Traceback (most recent call last):
        ...
        seqnets.errors.UserError: '...images' has no folders of images, one for each class; ...
    """
    parts = {name: part for name, words in SPLITS.items() if (part := _named(folder, words))}
    beside = [part for part in _folders(folder) if part not in parts.values() and _has_images(part)]
    if not parts or (beside and not any(_folders(part) for part in parts.values())):
        return {"train": _classes(folder, tell)}
    if "train" not in parts:
        raise UserError(f"'{folder}' has a folder {min(part.name for part in parts.values())}/ but no train/; add one")
    if beside:
        names, train = ", ".join(f"{part.name}/" for part in beside), parts["train"].name
        tell(f"skipped in '{folder}', whose classes are in {train}/: {names}; move them there if they are classes")
    _tell_loose(folder, tell)
    return {name: _classes(part, tell) for name, part in parts.items()}


def _classes(folder: Path, tell: Callable[[str], None]) -> list[ImageFile]:
    found = [image for part in _folders(folder) for image in _images(part, tell)]
    if not found:
        loose = " (the images in it belong to no class)" if _loose(folder) else ""
        raise UserError(
            f"'{folder}' has no folders of images, one for each class{loose}; "
            "give such a folder, or one with CIFAR's *.bin or MNIST's idx-ubyte files"
        )
    _tell_loose(folder, tell)
    return found


def _images(folder: Path, tell: Callable[[str], None]) -> Iterator[ImageFile]:
    try:
        paths = find_images([folder], tell=tell)
    except ImageError as error:  # an empty folder is not a class
        if any(path.is_file() for path in folder.rglob("*")):
            tell(f"not a class: {error}")
        return
    for path in paths:
        yield ImageFile(path, folder.name, path.relative_to(folder.parent).as_posix())


def _has_images(folder: Path) -> bool:
    return any(path.suffix.lower() in EXTENSIONS for path in folder.rglob("*"))


def _loose(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in EXTENSIONS and not path.name.startswith("."))


def _tell_loose(folder: Path, tell: Callable[[str], None]) -> None:
    loose = _loose(folder)
    if loose:
        them = "1 image that lies" if len(loose) == 1 else f"{len(loose):,} images that lie"
        tell(f"left out {them} in '{folder}' itself, in no class: '{loose[0].name}'; move each into the folder of its class")


def _folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


def _named(folder: Path, words: tuple[str, ...]) -> Path | None:
    return next((path for path in _folders(folder) if path.name.lower() in words), None)
