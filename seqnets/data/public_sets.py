"""Public data sets by name: texts, labeled images and captioned images, each with the digests of its files."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Literal, NamedTuple

from seqnets.data.archives import extract_archive
from seqnets.downloads import fetch, one_at_a_time
from seqnets.errors import UserError
from seqnets.places import cache_folder
from seqnets.suggestion import nearest

Kind = Literal["text", "images", "captions"]
Tell = Callable[[str], None]

_FLICKR = "https://github.com/jbrownlee/Datasets/releases/download/Flickr8k"
_COCO = "http://images.cocodataset.org"  # has no valid certificate for https; the digests make up for it
_GITHUB = "https://raw.githubusercontent.com"
_CIFAR = "https://www.cs.toronto.edu/~kriz"
_MNIST = "https://ossci-datasets.s3.amazonaws.com/mnist"
_FASHION = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com"


class Part(NamedTuple):
    """A file of a set.

    Attributes:
        address: where it is.
        digest: as `seqnets.downloads.fetch` takes it.
        megabytes: its size.
        folder: the folder that an archive is unpacked into; "" for a file that is kept as it is.
        name: the name that it is kept under; "" for that of its address.
    """

    address: str
    digest: str
    megabytes: float
    folder: str = ""
    name: str = ""

    @property
    def file(self) -> str:
        """The name that it is kept under."""
        return self.name or Path(self.address).name


class PublicSet(NamedTuple):
    """A public set.

    Attributes:
        kind: what it holds.
        parts: its files.
        terms: the license, in a sentence.
        data: the file or folder to read, below the folder of the set: a text, or a folder of images.
        captions: the file with the captions.
        lists: the folder with the lists of the splits; "" if the set has none.
    """

    kind: Kind
    parts: tuple[Part, ...]
    terms: str
    data: str = ""
    captions: str = ""
    lists: str = ""

    @property
    def megabytes(self) -> float:
        """The size of its files."""
        return sum(part.megabytes for part in self.parts)


class Downloaded(NamedTuple):
    """The paths of a set.

    Attributes:
        data: the text, or the folder of images.
        captions: the captions, for `read_captions(captions, lists=lists)` and `with_pictures(..., data)`; None without.
        lists: the folder with the lists of the splits; None without.
    """

    data: Path
    captions: Path | None = None
    lists: Path | None = None


def _text(name: str, address: str, digest: str, megabytes: float, terms: str) -> PublicSet:
    return PublicSet("text", (Part(address, f"sha256:{digest}", megabytes, name=f"{name}.txt"),), terms, f"{name}.txt")


def _idx(site: str, terms: str, *parts: tuple[str, str, float]) -> PublicSet:
    return PublicSet("images", tuple(Part(f"{site}/{name}-ubyte.gz", f"md5:{md5}", size) for name, md5, size in parts), terms)


def _cifar(archive: str, folder: str, digest: str, megabytes: float) -> PublicSet:
    part = Part(f"{_CIFAR}/{archive}", f"sha256:{digest}", megabytes, "images")
    return PublicSet("images", (part,), "its page states no license and asks to cite Krizhevsky, 2009", f"images/{folder}")


def _coco(year: str, split: str, annotations: str, images: tuple[str, float]) -> PublicSet:
    parts = (
        Part(f"{_COCO}/annotations/annotations_trainval{year}.zip", annotations, 253, "annotations"),
        Part(f"{_COCO}/zips/{split}{year}.zip", *images, "images"),
    )
    terms = "the captions are under CC BY 4.0; the photographs under the licenses of their Flickr authors"
    return PublicSet("captions", parts, terms, "images", f"annotations/annotations/captions_{split}{year}.json")


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

PUBLIC_SETS: dict[str, PublicSet] = {
    "tiny-shakespeare": _text(
        "tiny-shakespeare",
        f"{_GITHUB}/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",
        "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
        1.1,
        "the text is in the public domain",
    ),
    "sonnets": _text(
        "sonnets",
        f"{_GITHUB}/enerrio/Generate-Shakespeare-Sonnets/17398f0d878f13c20f7b93fb9201470d29888908/sonnets.txt",
        "4e5e5812959a59e06ebd719641be487c64b7496ace51a9e2594b8c0dca485562",
        0.1,
        "the text, Shakespeare's sonnets, is in the public domain",
    ),
    "names": _text(
        "names",
        f"{_GITHUB}/karpathy/makemore/master/names.txt",
        "0a30b5557f192f32ab962680889aac5f6fda0f4cecf40a6d0b5694f58ea8cc4d",
        0.2,
        "32,033 first names, one a line, of makemore, which is under the MIT license",
    ),
    "mnist": _idx(
        _MNIST,
        "CC BY-SA 3.0 (LeCun, Cortes and Burges)",
        ("train-images-idx3", "f68b3c2dcbeaaa9fbdd348bbdeb94873", 9.9),
        ("train-labels-idx1", "d53e105ee54ea40749a09fcbcd1e9432", 0.03),
        ("t10k-images-idx3", "9fb629c4189551a2d022fa330f9573f3", 1.6),
        ("t10k-labels-idx1", "ec29112dd5afa0611ce80d1b7f02629c", 0.005),
    ),
    "fashion-mnist": _idx(
        _FASHION,
        "MIT license (Zalando)",
        ("train-images-idx3", "8d4fb7e6c68d591d4c3dfef9ec88bf0d", 26.4),
        ("train-labels-idx1", "25c81989df183df01b3e8a0aad5dffbe", 0.03),
        ("t10k-images-idx3", "bef4ecab320f06d8554ea6380940ec79", 4.4),
        ("t10k-labels-idx1", "bb300cfdad3c16e7a12a480ee83cd310", 0.005),
    ),
    "cifar10": _cifar(
        "cifar-10-binary.tar.gz",
        "cifar-10-batches-bin",
        "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
        170.1,
    ),
    "cifar100": _cifar(
        "cifar-100-binary.tar.gz",
        "cifar-100-binary",
        "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
        168.5,
    ),
    "flickr8k": PublicSet(
        "captions",
        (
            Part(f"{_FLICKR}/Flickr8k_text.zip", "md5:bf6c1abcb8e4a833b7f922104de18627", 3, "text"),
            Part(f"{_FLICKR}/Flickr8k_Dataset.zip", "md5:f18a1e2920de5bd84dae7cf08ec78978", 1_115, "images"),
        ),
        "for non-commercial research and education only; the photographs belong to their authors",
        data="images",
        captions="text/Flickr8k.token.txt",
        lists="text",
    ),
} | {f"coco-{split}{year}": _coco(year, split, _ANNOTATIONS[year], images) for (split, year), images in _IMAGES.items()}
"""The sets by name.

The digests of the texts are those of the files at these addresses; the others come from torchvision (MNIST, Fashion-MNIST, COCO),
TensorFlow Datasets (CIFAR, COCO) and torch for R (Flickr8k).
"""


def is_public_set(name: str | os.PathLike[str], *kinds: Kind) -> bool:
    """Return whether a name is that of a public set of some kinds (of any, if none are given), and of no file or folder.

    Example:
        >>> is_public_set("tiny-shakespeare", "text"), is_public_set("mnist", "text"), is_public_set("mnist")
        (True, False, True)
    """
    known = PUBLIC_SETS.get(os.fspath(name))
    return known is not None and (not kinds or known.kind in kinds) and not os.path.lexists(name)


def located(name: str, kind: Kind) -> str:
    """Return a path as it is, and the path of a public set's data for its name.

    Example:
        >>> located("plays/hamlet.txt", "text")
        'plays/hamlet.txt'
    """
    return str(download(name).data) if is_public_set(name, kind) else name


def names_like(name: str, kind: Kind) -> str:
    """Return the end of a sentence about a file that does not exist: the set that may be meant; "" if none is near.

    Example:
        >>> names_like("tiny_shakespeare", "text")
        "; did you mean the public text 'tiny-shakespeare'?"
        >>> names_like("letters.txt", "text")
        ''
    """
    hint = nearest(name, [known for known, found in PUBLIC_SETS.items() if found.kind == kind])
    found = hint.partition("'")[2].partition("'")[0] if "did you mean" in hint else ""
    words = {"text": "text", "images": "set of images", "captions": "set of captions"}
    return f"; did you mean the public {words[kind]} {found!r}?" if found else ""


def download(name: str, folder: str | os.PathLike[str] | None = None, *, tell: Tell | None = None) -> Downloaded:
    """Download a public set, or the missing part of it, and unpack it.

    An interrupted download continues where it stopped. Archives are unpacked only if their digest is right, and removed
    afterward.

    Args:
        name: one of `PUBLIC_SETS`.
        folder: where to put the set, in a folder of its name; the cache by default.
        tell: called with the license, and with messages about progress.

    Raises:
        UserError: there is no such set, the network fails, or a digest is wrong; the message says where to put a file by hand.

    Example:
        >>> download("flickr9k", "data")
        Traceback (most recent call last):
        ...
        seqnets.errors.UserError: no public set is called 'flickr9k'; did you mean 'flickr8k'?
    """
    if name not in PUBLIC_SETS:
        raise UserError(f"no public set is called {name!r}{nearest(name, PUBLIC_SETS)}")
    found, tell = PUBLIC_SETS[name], tell or (lambda sentence: None)
    home = (cache_folder("data") if folder is None else Path(folder)) / name
    tell(f"{name}: {found.terms}")
    for part in found.parts:
        _get(part, home, tell)
    parts = (home / path if path else None for path in (found.captions, found.lists))
    return Downloaded(home / found.data, *parts)


def is_here(name: str, folder: Path) -> bool:
    """Return whether a set is complete in a folder.

    Args:
        name: one of `PUBLIC_SETS`.
        folder: as for `download`.
    """
    return all(_is_got(part, folder / name) for part in PUBLIC_SETS[name].parts)


def _get(part: Part, home: Path, tell: Tell) -> None:
    if not part.folder:
        fetch(part.address, part.digest, home / part.file)
        return
    if _is_unpacked(home / part.folder):
        return
    archive = fetch(part.address, part.digest, home / "downloads" / part.file)
    with one_at_a_time(home / part.folder):
        if not _is_unpacked(home / part.folder):
            tell(f"unpacking {archive.name}")
            extract_archive(archive, home / part.folder)
    archive.unlink(missing_ok=True)


def _is_got(part: Part, home: Path) -> bool:
    return _is_unpacked(home / part.folder) if part.folder else (home / part.file).is_file()


def _is_unpacked(folder: Path) -> bool:
    return folder.is_dir() and any(_visible(folder.iterdir()))


def _visible(paths: Iterable[Path]) -> Iterable[Path]:
    return (path for path in paths if not path.name.startswith("."))
