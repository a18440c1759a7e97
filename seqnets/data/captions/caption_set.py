"""Images, the captions of each, and the split it belongs to."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import compress
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from seqnets.errors import UserError

SPLITS = ("train", "validation", "test")
_SPLIT_NAMES = {"restval": "train", "training": "train", "val": "validation", "valid": "validation", "dev": "validation"} | (
    dict.fromkeys(("unassigned", "none", "unused"), "")
)
_COCO_NAME = re.compile(r"(?:COCO_\w+_)?(\d{12})")

ImageId = int | str


class Entry(NamedTuple):
    """One caption as a file has it; `where` is its place there, for errors."""

    image: str
    caption: str
    where: str
    split: str = ""
    image_id: ImageId | None = None


@dataclass(frozen=True)
class CaptionSet:
    """N images with their captions.

    Args:
        images: the file of each: a name as the captions file has it or, after `with_pictures`, a path.
        captions: of each at least one.
        splits: "train", "validation" or "test" for each; "" before they are split.
        ids: what the files of COCO call each image.
        remarks: what was left out and why, in sentences for people.

    Example:
        >>> dogs = CaptionSet(("a.jpg", "b.jpg"), (("a dog",), ("two dogs", "dogs")), ("train", "test"), ("a.jpg", "b.jpg"))
        >>> len(dogs), dogs.split("test").images
        (2, ('b.jpg',))
    """

    images: tuple[str, ...]
    captions: tuple[tuple[str, ...], ...]
    splits: tuple[str, ...]
    ids: tuple[ImageId, ...]
    remarks: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.images)

    def __str__(self) -> str:
        counts = ", ".join(f"{self.splits.count(name):,} {name}" for name in SPLITS if name in self.splits)
        return f"{len(self):,} images with {sum(map(len, self.captions)):,} captions" + (f" ({counts})" if counts else "")

    @property
    def digest(self) -> str:
        """A short hash of names, captions and splits, equal only for equal sets."""
        names = [PurePosixPath(image).name for image in self.images]
        content = json.dumps([names, self.captions, self.splits]).encode("utf-8", "surrogatepass")
        return sha256(content).hexdigest()[:16]

    def split(self, name: str) -> "CaptionSet":
        """Return the images of one split; none, if it has none."""
        return self.where(split == name for split in self.splits)

    def where(self, kept: Iterable[bool]) -> "CaptionSet":
        """Return the images that are kept, in order.

        Args:
            kept: one for each image.
        """
        kept = list(kept)
        columns = {name: tuple(compress(getattr(self, name), kept)) for name in ("images", "captions", "splits", "ids")}
        return replace(self, **columns)

    def to_coco(self) -> dict[str, Any]:
        """Return images and annotations as COCO's captions JSON has them, which `seqnets score` reads as references.

        Example:
            >>> CaptionSet(("a.jpg",), (("a dog",),), ("",), ("a.jpg",)).to_coco()["annotations"]
            [{'id': 0, 'image_id': 'a.jpg', 'caption': 'a dog'}]
        """
        pairs = [(image, caption) for image, captions in zip(self.ids, self.captions) for caption in captions]
        return {
            "images": [{"id": number, "file_name": PurePosixPath(name).name} for number, name in zip(self.ids, self.images)],
            "annotations": [{"id": i, "image_id": image, "caption": caption} for i, (image, caption) in enumerate(pairs)],
        }


def image_id(name: str) -> ImageId:
    """Return what the files of COCO call an image: the number in a name as COCO has them, else the name.

    Example:
        >>> image_id("val2014/COCO_val2014_000000391895.jpg"), image_id("000000391895.jpg"), image_id("photos/dog_12.jpg")
        (391895, 391895, 'dog_12.jpg')
    """
    path = PurePosixPath(name)
    number = _COCO_NAME.fullmatch(path.stem)
    return int(number[1]) if number else path.name


def gathered(entries: Iterable[Entry]) -> CaptionSet:
    """Put together what belongs to one image, in the order of its first caption; captions without a text are left out.

    Raises:
        UserError: an image has two splits, a split's name is not known, or nothing is left.
    """
    captions: dict[str, list[str]] = {}
    splits: dict[str, str] = {}
    ids: dict[str, ImageId] = {}
    empty = 0
    for entry in entries:
        name, text = _name(entry), " ".join(entry.caption.split())
        empty += not text
        splits[name] = _split(entry, splits.get(name))
        ids.setdefault(name, image_id(name) if entry.image_id is None else entry.image_id)
        captions.setdefault(name, []).extend([text] if text else [])
    names = [name for name, texts in captions.items() if texts]
    remarks = (f"{empty:,} caption{'s have' if empty > 1 else ' has'} no text and {'are' if empty > 1 else 'is'} left out",)
    texts = tuple(tuple(captions[name]) for name in names)
    columns = tuple(splits[name] for name in names), tuple(ids[name] for name in names)
    return CaptionSet(tuple(names), texts, *columns, remarks=remarks if empty else ())


def known_split(name: str, where: str) -> str:
    """Return the name that a split has here.

    Raises:
        UserError: it is not known.

    Example:
        >>> known_split("restval", "line 3"), known_split("dev", "line 4")
        ('train', 'validation')
    """
    plain = name.strip().lower()
    found = _SPLIT_NAMES.get(plain, plain)
    if found not in (*SPLITS, ""):
        raise UserError(f"{where} has the split {name!r}; it must be one of train, restval, validation, val, dev, test")
    return found


def _name(entry: Entry) -> str:
    name = entry.image.strip().replace("\\", "/")
    if not name:
        raise UserError(f"{entry.where} names no image; give its file name")
    return name


def _split(entry: Entry, before: str | None) -> str:
    split = known_split(entry.split, entry.where)
    if before is not None and before != split:
        raise UserError(f"{entry.where} puts image {entry.image!r} into {split or 'no split'!r}, before it was in {before!r}")
    return split
