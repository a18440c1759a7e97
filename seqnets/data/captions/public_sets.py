"""The public captioning sets: downloads with checksums that continue after an interruption."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from seqnets.data.archives import extract_archive
from seqnets.downloads import fetch
from seqnets.errors import UserError

_FLICKR = "https://github.com/jbrownlee/Datasets/releases/download/Flickr8k"
_COCO = "http://images.cocodataset.org"  # has no valid certificate for https; the checksums make up for it


class Part(NamedTuple):
    """An archive of a set: where it is, its checksum, its size, and the folder it is unpacked into."""

    url: str
    checksum: str
    megabytes: int
    folder: str


class PublicSet(NamedTuple):
    """A public set.

    Attributes:
        parts: its archives.
        images: the folder with the images.
        captions: the file with the captions.
        lists: the folder with the lists of the splits; "" if the set has none.
        terms: the license, in a sentence.
    """

    parts: tuple[Part, ...]
    images: str
    captions: str
    lists: str
    terms: str


_FLICKR_TERMS = "Flickr8k is for non-commercial research and education only; the photographs belong to their authors"
_COCO_TERMS = "COCO's captions are under CC BY 4.0; the photographs under the licenses of their Flickr authors"


def _coco(year: str, annotations: str, images: tuple[Part, ...], split: str) -> PublicSet:
    parts = (Part(f"{_COCO}/annotations/annotations_trainval{year}.zip", annotations, 253, "annotations"), *images)
    return PublicSet(parts, "images", f"annotations/annotations/captions_{split}{year}.json", "", _COCO_TERMS)


_ANNOTATIONS = {
    "2014": "sha256:031296bbc80c45a1d1f76bf9a90ead27e94e99ec629208449507a4917a3bf009",
    "2017": "sha256:113a836d90195ee1f884e704da6304dfaaecff1f023f49b6ca93c4aaae470268",
}
_IMAGES = {
    ("train", "2014"): ("sha256:ede4087e640bddba550e090eae701092534b554b42b05ac33f0300b984b31775", 13_511),
    ("val", "2014"): ("sha256:fe9be816052049c34717e077d9e34aa60814a55679f804cd043e3cbee3b9fde0", 6_645),
    ("train", "2017"): ("md5:cced6f7f71b7629ddf16f17bbcfab6b2", 19_337),
    ("val", "2017"): ("md5:442b8da7639aecaf257c1dceb8ba8c80", 816),
}

PUBLIC_SETS = {
    "flickr8k": PublicSet(
        (
            Part(f"{_FLICKR}/Flickr8k_text.zip", "md5:bf6c1abcb8e4a833b7f922104de18627", 3, "text"),
            Part(f"{_FLICKR}/Flickr8k_Dataset.zip", "md5:f18a1e2920de5bd84dae7cf08ec78978", 1_115, "images"),
        ),
        images="images",
        captions="text/Flickr8k.token.txt",
        lists="text",
        terms=_FLICKR_TERMS,
    )
} | {
    f"coco-{split}{year}": _coco(
        year, _ANNOTATIONS[year], (Part(f"{_COCO}/zips/{split}{year}.zip", checksum, size, "images"),), split
    )
    for (split, year), (checksum, size) in _IMAGES.items()
}
"""The sets by name. The checksums come from torch for R (Flickr8k), TensorFlow Datasets and torchvision (COCO)."""

Tell = Callable[[str], None]


class Downloaded(NamedTuple):
    """The paths of a set, for `read_captions(captions, lists=lists)` and `with_pictures(..., images)`."""

    images: Path
    captions: Path
    lists: Path | None


def download(name: str, folder: str | os.PathLike[str], *, tell: Tell | None = None) -> Downloaded:
    """Download a public set, or the missing part of it, and unpack it.

    An interrupted download continues where it stopped. Archives are unpacked only if their checksum is right, and removed
    afterward.

    Args:
        name: one of `PUBLIC_SETS`: flickr8k, coco-train2014, coco-val2014, coco-train2017, coco-val2017.
        folder: where to put it; several sets may share a folder.
        tell: called with progress messages.

    Raises:
        UserError: there is no such set, the network fails, or a checksum is wrong.

    Example:
        >>> download("flickr9k", "data")
        Traceback (most recent call last):
        ...
        seqnets.errors.UserError: no public set is called 'flickr9k'; there are flickr8k, coco-train2014, coco-val2014, ...
    """
    if name not in PUBLIC_SETS:
        raise UserError(f"no public set is called {name!r}; there are {', '.join(PUBLIC_SETS)}")
    found, home, tell = PUBLIC_SETS[name], Path(folder) / name, tell or (lambda sentence: None)
    tell(found.terms)
    for part in found.parts:
        _fetch(part, home, tell)
    return Downloaded(home / found.images, home / found.captions, home / found.lists if found.lists else None)


def _fetch(part: Part, home: Path, tell: Tell) -> None:
    unpacked = home / part.folder
    if unpacked.is_dir() and any(unpacked.iterdir()):
        return
    archive = fetch(part.url, part.checksum, home / "downloads" / Path(part.url).name)
    tell(f"unpacking {archive.name}")
    extract_archive(archive, unpacked)
    archive.unlink()
