"""Images, the captions of each, and the split it belongs to."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import compress
from typing import Any, NamedTuple

from seqnets.data.examples.tables import attempts, sifted
from seqnets.data.images.names import ImageId, image_ids, path_as_given
from seqnets.data.images.names import image_id as image_id
from seqnets.errors import UserError

SPLITS = ("train", "validation", "test")
_SPLIT_NAMES = {"restval": "train", "training": "train", "val": "validation", "valid": "validation", "dev": "validation"} | (
    dict.fromkeys(("unassigned", "none", "unused"), "")
)
_NOT_SAID = {"nan", "NaN", "NAN", "None", "null", "NULL", "N/A", "#N/A", "<NA>"}  # what programs write for a missing value


class Entry(NamedTuple):
    """One caption from a file; `where` names its place in the file, for error messages."""

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
        captions: one or more for each image.
        splits: "train", "validation" or "test" for each; "" before they are split.
        ids: the image id in COCO's files, different for each image.
        remarks: what was left out and why, in sentences for people.
        names: identify the images: their paths as the captions file has them; `images` by default.

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
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.names:
            object.__setattr__(self, "names", self.images)

    def __len__(self) -> int:
        return len(self.images)

    def __str__(self) -> str:
        counts = ", ".join(f"{self.splits.count(name):,} {name}" for name in SPLITS if name in self.splits)
        return f"{len(self):,} images with {sum(map(len, self.captions)):,} captions" + (f" ({counts})" if counts else "")

    @property
    def digest(self) -> str:
        """A short hash of names, captions and splits, equal only for equal sets."""
        content = json.dumps([self.names, self.captions, self.splits]).encode("utf-8", "surrogatepass")
        return sha256(content).hexdigest()[:16]

    def split(self, name: str) -> "CaptionSet":
        """Return the images of one split, which may be empty."""
        return self.where(split == name for split in self.splits)

    def where(self, kept: Iterable[bool]) -> "CaptionSet":
        """Return the images that are kept, in order.

        Args:
            kept: a boolean for each image.
        """
        kept = list(kept)
        columns = {name: tuple(compress(getattr(self, name), kept)) for name in ("images", "captions", "splits", "ids", "names")}
        return replace(self, **columns)

    def to_coco(self) -> dict[str, Any]:
        """Return images and annotations as COCO's captions JSON has them, which `seqnets score` reads as references.

        Example:
            >>> CaptionSet(("a.jpg",), (("a dog",),), ("",), ("a.jpg",)).to_coco()["annotations"]
            [{'id': 0, 'image_id': 'a.jpg', 'caption': 'a dog'}]
        """
        pairs = [(image, caption) for image, captions in zip(self.ids, self.captions) for caption in captions]
        return {
            "images": [{"id": number, "file_name": name} for number, name in zip(self.ids, self.names)],
            "annotations": [{"id": i, "image_id": image, "caption": caption} for i, (image, caption) in enumerate(pairs)],
        }


def gathered(entries: Iterable[Entry | UserError]) -> CaptionSet:
    """Group captions by image, in the order of first captions; captions without text are left out.

    Args:
        entries: captions; an error stands in for each unusable one.

    Raises:
        UserError: more than 1% cannot be used, among them those that name no image or put it into two splits.
    """
    found = _Gathered()
    _, remarks = sifted(attempts(found.add, ((entry,) if isinstance(entry, Entry) else entry for entry in entries)), "captions")
    names = [name for name, texts in found.captions.items() if texts]
    texts = tuple(tuple(found.captions[name]) for name in names)
    ids = image_ids(names, [found.ids[name] for name in names])
    remarks += [*found.remarks()]
    return CaptionSet(tuple(names), texts, tuple(found.splits[name] for name in names), tuple(ids), tuple(remarks))


class _Gathered:
    def __init__(self) -> None:
        self.captions: dict[str, list[str]] = {}
        self.splits: dict[str, str] = {}
        self.ids: dict[str, ImageId | None] = {}
        self._blank = self._not_said = 0

    def add(self, entry: Entry) -> Iterator[str]:
        name, text = _name(entry), " ".join(entry.caption.split())
        self.splits[name] = _split(entry, self.splits.get(name))
        self.ids.setdefault(name, entry.image_id)
        self._blank += not text
        self._not_said += text in _NOT_SAID
        self.captions.setdefault(name, []).extend([text] if text and text not in _NOT_SAID else [])
        yield name

    def remarks(self) -> Iterator[str]:
        if self._blank:
            yield f"{_of_captions(self._blank, 'has', 'have')} no text and {_is(self._blank)} left out"
        if self._not_said:
            yield f"{_of_captions(self._not_said, 'is', 'are')} only a word for a missing value, such as nan, and left out"
        again = sum(len(texts) - len(set(texts)) for texts in self.captions.values())
        if again:
            yield f"{_of_captions(again, 'repeats', 'repeat')} another of the same image and {_is(again)} kept"


def _of_captions(count: int, one: str, several: str) -> str:
    return f"{count:,} caption{'s'[: count != 1]} {one if count == 1 else several}"


def _is(count: int) -> str:
    return "is" if count == 1 else "are"


def known_split(name: str, where: str) -> str:
    """Return our name for a split.

    Raises:
        UserError: the split is not known.

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
    name = path_as_given(entry.image)
    if not name:
        raise UserError(f"{entry.where} names no image; give its file name")
    return name


def _split(entry: Entry, before: str | None) -> str:
    split = known_split(entry.split, entry.where)
    if before is not None and before != split:
        raise UserError(f"{entry.where} puts image {entry.image!r} into {split or 'no split'!r}, but it was in {before!r}")
    return split
