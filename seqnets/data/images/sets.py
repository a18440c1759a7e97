"""Labeled images of any kind, recognized by the files of a folder."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from seqnets.data.demo import shapes
from seqnets.data.examples.held_out import held_out
from seqnets.data.fingerprint import digest_of
from seqnets.data.images import cifar, idx
from seqnets.data.images import folder as image_folder
from seqnets.data.images.array import error_of
from seqnets.data.images.folder import ImageFile
from seqnets.data.images.preprocessing import Preprocessing
from seqnets.data.images.published import IMAGENET_MEAN, IMAGENET_STD
from seqnets.data.public_sets import located, names_like
from seqnets.data.read_ahead import read_ahead
from seqnets.errors import UserError

_ARRAYS = {"MNIST": idx, "CIFAR": cifar}
_PHOTO_SIZE = 64
_MEASURED = 5000  # images used to measure mean and standard deviation


@dataclass(frozen=True)
class LabeledImages:
    """Images of one split.

    Args:
        images: [N, H, W, C] of uint8, or N paths of image files.
        labels: [N] of int32, indices of the classes.
        names: N texts that identify the images and decide which are held out.
    """

    images: np.ndarray | tuple[Path, ...]
    labels: np.ndarray
    names: tuple[str, ...] = field(repr=False)

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, chosen: np.ndarray) -> "LabeledImages":
        """Return some of the images, by indices or one boolean per image."""
        indices = np.arange(len(self))[chosen]
        images = self.images[indices] if isinstance(self.images, np.ndarray) else tuple(self.images[i] for i in indices)
        return LabeledImages(images, self.labels[indices], tuple(self.names[i] for i in indices))


@dataclass(frozen=True)
class ImageSet:
    """Labeled images and the names of their classes.

    Args:
        kind: what was found: "image folders", "CIFAR", "MNIST", "drawn shapes".
        splits: "train", and "validation" and "test" where present.
        classes: their names.
        remarks: sentences about what was left out.
    """

    kind: str
    splits: Mapping[str, LabeledImages]
    classes: tuple[str, ...]
    remarks: tuple[str, ...] = ()

    def __str__(self) -> str:
        parts = ", ".join(f"{len(images):,} for {name}" for name, images in self.splits.items())
        shown = ", ".join(self.classes[:8]) + (", ..." if len(self.classes) > 8 else "")
        return f"{self.kind}: {parts}; {len(self.classes)} classes ({shown})"

    def with_validation(self, fraction: float) -> "ImageSet":
        """Return the set with a share of each class's training images held out, where it has no validation split.

        Equal names and equal images fall on the same side, and new images move few old ones across.

        Raises:
            UserError: the fraction is out of range.
        """
        if "validation" in self.splits or not fraction:
            return self
        train = self.splits["train"]
        chosen = np.zeros(len(train), bool)
        for label in np.unique(train.labels):
            members = np.flatnonzero(train.labels == label)
            names = [train.names[i] for i in members]
            if len(set(names)) > 1:
                chosen[members] = held_out(names, fraction)
        parts = {"train": train.take(~chosen), "validation": train.take(chosen)}
        return replace(self, splits={**parts, **{name: images for name, images in self.splits.items() if name != "train"}})

    def preprocessing(self, size: int = 0, channels: str = "auto") -> Preprocessing:
        """Return the rule for these images: their own or a given size; measured or ImageNet's mean and standard deviation."""
        images = self.splits["train"].images
        own: tuple[int, ...] = images.shape[1:] if isinstance(images, np.ndarray) else (_PHOTO_SIZE, _PHOTO_SIZE, 3)
        order = channels if channels != "auto" else "gray" if own[2] == 1 else "rgb"
        same = isinstance(images, np.ndarray) and (own[2] == 1) == (order == "gray")
        mean, std = _measured(np.asarray(images)) if same else _photographs(order)
        side = (size, size) if size else own[:2]
        return Preprocessing(resize=min(side), crop=side, channels=order, mean=mean, std=std)  # pyright: ignore[reportArgumentType]

    def fingerprint(self) -> dict[str, str | int]:
        """Return the counts of the splits and a hash of names, labels, classes and the sizes of files."""
        arrays = {"classes": np.array(self.classes)}
        for name, images in self.splits.items():
            arrays |= {f"{name} labels": images.labels, f"{name} names": np.array(images.names)}
            if not isinstance(images.images, np.ndarray):  # names of arrays' images are hashes, those of files are not
                arrays[f"{name} bytes"] = np.array([_size(path) for path in images.images])
        counts = {f"{name}_images": len(images) for name, images in self.splits.items()}
        return {**counts, "images_digest": digest_of(arrays)}


def read_images(*sources: str | os.PathLike[str], drawn: Callable[[], tuple[np.ndarray, np.ndarray]] | None = None) -> ImageSet:
    """Read labeled images, recognized by the files of a folder.

    Args:
        sources: a folder with a folder of images for each class (or with train/, val/ and test/ of that kind); several
            such folders are combined. Or one folder of CIFAR's binary version, or of MNIST's (Fashion-MNIST's)
            IDX files, plain or .gz; or mnist, fashion-mnist, cifar10 or cifar100, which are downloaded. None for drawn shapes.
        drawn: draws them, with their labels; `shapes.draw_shapes` when None.

    Raises:
        UserError: there is no such folder, nothing in it is known (the message says what was looked for), or no
            image of a class can be read.

    Example:
        >>> str(read_images())
        'drawn shapes: 3,000 for train; 6 classes (circle, cross, ring, square, star, triangle)'
    """
    if not sources:
        images, labels = (drawn or shapes.draw_shapes)()
        return ImageSet("drawn shapes", {"train": _from_arrays(images, labels)}, shapes.SHAPES)
    folders = [_folder(source) for source in sources]
    kind = next((kind for kind, module in _ARRAYS.items() if module.is_in(folders[0])), None)
    return _array_set(kind, folders) if kind else _folder_set(folders)


def _folder(source: str | os.PathLike[str]) -> Path:
    path = Path(located(os.fspath(source), "images"))
    if not path.exists():
        raise UserError(f"there is no folder '{path}'; check the path{names_like(os.fspath(source), 'images')}")
    if not path.is_dir():
        raise UserError(f"'{path}' is a file; give a folder with a folder of images for each class, or of CIFAR or MNIST files")
    return path


def _array_set(kind: str, folders: Sequence[Path]) -> ImageSet:
    if len(folders) > 1:
        raise UserError(f"'{folders[0]}' holds {kind}; give this folder alone")
    splits, classes = _ARRAYS[kind].read(folders[0])
    return ImageSet(kind, {name: _from_arrays(*arrays) for name, arrays in splits.items()}, classes)


def _folder_set(folders: Sequence[Path]) -> ImageSet:
    remarks: list[str] = []
    listed = [image_folder.list_images(folder, remarks.append) for folder in folders]
    files = {name: [image for found in listed for image in found.get(name, ())] for name in image_folder.SPLITS}
    classes = tuple(sorted({image.label for image in files["train"]}))
    if len(classes) < 2:
        only = f"'{folders[0]}' has images of one class only ({', '.join(classes)}); put each class into a folder of its own"
        raise UserError("; ".join([only, *remarks]))
    _check_classes(files["train"])
    kept = {name: _of_classes(images, classes, name, remarks) for name, images in files.items()}
    splits = {name: _labeled(images, classes) for name, images in kept.items() if images}
    return ImageSet("image folders", splits, classes, tuple(remarks))


def _check_classes(files: Sequence[ImageFile]) -> None:
    by_class: dict[str, list[str]] = {}
    for file in files:
        by_class.setdefault(file.label, []).append(str(file.path))
    for name, error in zip(by_class, read_ahead(_error_of_all, by_class.values())):
        if error:
            raise UserError(
                f"the class {name!r} has no image that can be read, of {len(by_class[name]):,}: {error}; "
                "repair them, or remove its folder"
            )


def _error_of_all(paths: Sequence[str]) -> str:
    errors = []
    for path in paths:
        errors.append(error_of(path))
        if not errors[-1]:
            return ""
    return errors[0]


def _of_classes(images: Sequence[ImageFile], classes: tuple[str, ...], split: str, remarks: list[str]) -> list[ImageFile]:
    for name in sorted({image.label for image in images} - set(classes)):
        count = sum(image.label == name for image in images)
        remarks.append(
            f"the class {name!r} has no images to train on, and its {count:,} for {split} are left out; add it to train/"
        )
    return [image for image in images if image.label in classes]


def _labeled(images: Sequence[ImageFile], classes: tuple[str, ...]) -> LabeledImages:
    number = {name: index for index, name in enumerate(classes)}
    labels = np.array([number[image.label] for image in images], np.int32)
    return LabeledImages(tuple(i.path for i in images), labels, tuple(i.name for i in images))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # unreadable images are left out and reported later
        return 0


def _from_arrays(images: np.ndarray, labels: np.ndarray) -> LabeledImages:
    names = tuple(digest_of({"image": image}) for image in images)
    return LabeledImages(images, labels.astype(np.int32), names)


def _measured(images: np.ndarray) -> tuple[tuple[float, ...], tuple[float, ...]]:
    chosen = images[:: max(1, len(images) // _MEASURED)].astype(np.float64) / 255
    mean, std = chosen.mean((0, 1, 2)), chosen.std((0, 1, 2))
    return tuple(round(float(x), 4) for x in mean), tuple(max(round(float(x), 4), 1e-3) for x in std)


def _photographs(channels: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    return ((0.45,), (0.22,)) if channels == "gray" else (IMAGENET_MEAN, IMAGENET_STD)
