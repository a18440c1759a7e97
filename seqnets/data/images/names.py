"""Finds the image file that a name refers to: an image is identified by its path as given; a name matches the end of a path."""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import takewhile
from pathlib import PurePosixPath
from typing import NamedTuple

EXTENSIONS = frozenset(
    [".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".gif", ".bmp", ".dib", ".webp", ".tif", ".tiff", ".avif"]
    + [".ppm", ".pgm", ".pbm", ".pnm", ".jp2", ".j2k", ".heic", ".heif", ".hif"]
)
ImageId = int | str
_DIGITS = re.compile(r"(?<!\d)0*(\d*)$(?<=\d)")
_COCO_NAME = re.compile(r"(?:COCO_\w+_)?(\d{12})")


def path_as_given(name: str) -> str:
    r"""Return a path in the spelling that identifies images: / between its parts, in Unicode's form NFC.

    Example:
        >>> path_as_given(" cats\\1.jpg"), path_as_given("./cats//1.jpg"), len(path_as_given("e\u0301.jpg"))
        ('cats/1.jpg', 'cats/1.jpg', 5)
    """
    plain = unicodedata.normalize("NFC", name.strip().replace("\\", "/"))
    return str(PurePosixPath(plain)) if "//" in plain or "./" in plain or plain.endswith("/") else plain


def image_id(name: str) -> ImageId:
    """Return the image id of COCO's files: the number in a COCO file name, else the path as given.

    Example:
        >>> image_id("val2014/COCO_val2014_000000391895.jpg"), image_id("000000391895.jpg"), image_id("photos/dog_12.jpg")
        (391895, 391895, 'photos/dog_12.jpg')
    """
    path = path_as_given(name)
    number = _COCO_NAME.fullmatch(PurePosixPath(path).stem)
    return int(number[1]) if number else path


def image_ids(names: Sequence[str], known: Iterable[ImageId | None] = ()) -> list[ImageId]:
    """Return an id for each of several images, all different.

    Args:
        names: their paths as given, all different.
        known: the ids that files already give; None takes `image_id`.

    Example:
        >>> image_ids(["a/000000000001.png", "b/000000000001.png", "000000000002.png"])
        ['a/000000000001.png', 'b/000000000001.png', 2]
    """
    wanted = [image_id(name) if found is None else found for name, found in zip(names, known or [None] * len(names))]
    taken = Counter(wanted)
    return [path_as_given(name) if taken[number] > 1 else number for name, number in zip(names, wanted)]


class Matches(NamedTuple):
    """The files that names mean.

    Attributes:
        places: for each name, the place of its path among the paths; None for a name that does not match exactly one.
        shared: the names that several files, or several names of one file, share.
    """

    places: list[int | None]
    shared: tuple[str, ...]


def match_names(names: Sequence[str], paths: Sequence[str], *, root: str = "") -> Matches:
    """Find the path that each name means: the one that agrees with it in the most parts from the end.

    Case and Unicode forms do not matter where only one path matches; either side may lack the image extension; a number
    means the file whose name ends in it. A name that matches two paths equally well means neither. If several names match
    one path, those that agree in all their parts mean it, else the one that agrees best.

    Args:
        names: the names in a table.
        paths: paths of the files, below `root`.
        root: folder of the files; its parts count too.

    Example:
        >>> match_names(["pics/cats/1.jpg", "dogs/1.jpg", "birds/1.jpg", "1.jpg"], ["cats/1.jpg", "dogs/1.jpg"])
        Matches(places=[0, 1, None, None], shared=('birds/1.jpg', '1.jpg'))
    """
    index = _Index(paths, root)
    found = [index.find(name) for name in names]
    claims = defaultdict[int, list[_Match]](list)
    for match in set(found):
        if match.place is not None:
            claims[match.place].append(match)
    kept = {match for rivals in claims.values() for match in _best(rivals)}
    places = [match.place if match in kept else None for match in found]
    shared = (name for name, match in zip(names, found) if match.several or (match.place is not None and match not in kept))
    return Matches(places, tuple(dict.fromkeys(shared)))


class _Match(NamedTuple):
    name: tuple[str, ...] = ()
    place: int | None = None
    agreed: int = 0  # parts, from the end
    several: bool = False

    @property
    def is_whole(self) -> bool:
        return self.agreed >= len(self.name)


def _best(rivals: Sequence[_Match]) -> list[_Match]:
    whole = [match for match in rivals if match.is_whole]
    most = max(match.agreed for match in rivals)
    best = whole or [match for match in rivals if match.agreed == most]
    return best if whole or len(best) == 1 else []


class _Index:
    """Paths by their names, by names without the image extension, and by the numbers in which those end."""

    def __init__(self, paths: Sequence[str], root: str) -> None:
        self._paths, self._root = [_parts(path) for path in paths], _lower(_parts(root))

    @cached_property
    def _full(self) -> "_Ends":
        return _Ends(self._paths, self._root)

    @cached_property
    def _bare(self) -> "_Ends":
        stems = ((*parts[:-1], _stem(parts[-1])) if parts else () for parts in self._paths)
        return _Ends([stem if stem != parts else () for stem, parts in zip(stems, self._paths)], self._root)

    @cached_property
    def _numbered(self) -> "_Ends":
        digits = [_DIGITS.search(_stem(parts[-1])) if parts else None for parts in self._paths]
        return _Ends([(*parts[:-1], found[1]) if found else () for parts, found in zip(self._paths, digits)], self._root)

    def find(self, name: str) -> _Match:
        parts = _parts(name)
        for places, agreed in self._tries(parts):
            if places:
                return _Match(parts, places[0], agreed) if len(places) == 1 else _Match(parts, several=True)
        return _Match(parts)

    def _tries(self, parts: tuple[str, ...]) -> Iterator[tuple[list[int], int]]:
        if parts:
            *folders, last = parts
            stem = _stem(last)
            yield self._full.find(parts)
            yield self._full.find((*folders, stem)) if stem != last else self._bare.find(parts)
            if last.isascii() and last.isdigit():
                yield self._numbered.find((*folders, last.lstrip("0")))


class _Ends:
    """Paths by any number of their last parts; () is not a path."""

    def __init__(self, paths: Sequence[tuple[str, ...]], root: tuple[str, ...]) -> None:
        self._paths, self._root = paths, root
        self._ends, self._whole = defaultdict[tuple, list[int]](list), defaultdict[tuple, list[int]](list)
        for place, parts in enumerate(paths):
            lower = _lower(parts)
            if parts:
                self._whole[lower].append(place)
            for start in range(len(parts)):
                self._ends[lower[start:]].append(place)

    @cached_property
    def _exact(self) -> dict[tuple[str, ...], list[int]]:
        ends = defaultdict[tuple, list[int]](list)
        for place, parts in enumerate(self._paths):
            for start in range(len(parts)):
                ends[parts[start:]].append(place)
        return ends

    def find(self, parts: tuple[str, ...]) -> tuple[list[int], int]:
        """Return the paths that agree in the most parts, and the number of those parts."""
        lower = _lower(parts)
        start = next((start for start in range(len(lower)) if lower[start:] in self._ends), len(lower))
        if start == len(lower):
            return [], 0
        # a shorter path that ends here matches if the name's earlier parts match the root
        whole, above = self._whole.get(lower[start:], []), _agreed(lower[:start], self._root)
        if whole and (above or not start):
            exact = [place for place in whole if self._paths[place] == parts[start:]]
            return exact or whole, len(lower) - start + above
        places = self._ends[lower[start:]]
        return (self._exact.get(parts[start:], places) if len(places) > 1 else places), len(lower) - start


def _agreed(name: Sequence[str], path: Sequence[str]) -> int:
    pairs = zip(reversed(name), reversed(path))
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _stem(name: str) -> str:
    stem, dot, ending = name.rpartition(".")
    return stem if dot and f".{ending.lower()}" in EXTENSIONS else name


def _lower(parts: Sequence[str]) -> tuple[str, ...]:
    return tuple(part.lower() for part in parts)


def _parts(path: str) -> tuple[str, ...]:
    return tuple(part for part in path_as_given(path).split("/") if part not in ("", ".", ".."))
