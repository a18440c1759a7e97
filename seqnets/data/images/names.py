"""Which image file a name means: an image is its path as given, and names find files from the ends of their paths."""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

EXTENSIONS = frozenset(
    [".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".gif", ".bmp", ".dib", ".webp", ".tif", ".tiff", ".avif"]
    + [".ppm", ".pgm", ".pbm", ".pnm", ".jp2", ".j2k", ".heic", ".heif", ".hif"]
)
ImageId = int | str
_COCO_NAME = re.compile(r"(?:COCO_\w+_)?(\d{12})")


def path_as_given(name: str) -> str:
    r"""Return a path in the one spelling by which images are told apart: / between its parts, in Unicode's form NFC.

    Example:
        >>> path_as_given(" cats\\1.jpg"), path_as_given("./cats//1.jpg"), len(path_as_given("e\u0301.jpg"))
        ('cats/1.jpg', 'cats/1.jpg', 5)
    """
    plain = unicodedata.normalize("NFC", name.strip().replace("\\", "/"))
    return str(PurePosixPath(plain)) if plain else ""


def image_id(name: str) -> ImageId:
    """Return what the files of COCO call an image: the number in a name as COCO has them, else the path as given.

    Example:
        >>> image_id("val2014/COCO_val2014_000000391895.jpg"), image_id("000000391895.jpg"), image_id("photos/dog_12.jpg")
        (391895, 391895, 'photos/dog_12.jpg')
    """
    path = path_as_given(name)
    number = _COCO_NAME.fullmatch(PurePosixPath(path).stem)
    return int(number[1]) if number else path


def image_ids(names: Sequence[str], known: Iterable[ImageId | None] = ()) -> list[ImageId]:
    """Return what to call each of several images, so that no two are called alike.

    Args:
        names: their paths as given, all different.
        known: what files call them already; None for what `image_id` says.

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
        places: for each name, the place of its path among the paths; None for a name that means no single one.
        shared: the names that several files, or several names of one file, share.
    """

    places: list[int | None]
    shared: tuple[str, ...]


def match_names(names: Sequence[str], paths: Sequence[str], *, root: str = "") -> Matches:
    """Find the path that each name means: the one that agrees with it in the most parts, counted from the end.

    Case and Unicode forms do not matter where only one path fits; either side may lack the ending of an image; a number
    means the file whose name ends in it. A name that fits two paths equally means neither. Of several names for one path,
    those that agree with it in all their parts mean it, else the one that agrees best.

    Args:
        names: as a table has them.
        paths: of the files, below `root`.
        root: where the files lie; its parts count too.

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
    def __init__(self, paths: Sequence[str], root: str) -> None:
        self._root = _parts(root)
        self._paths = [_parts(path) for path in paths]
        self._by_name, self._by_stem, self._by_number = (defaultdict[str, list[int]](list) for _ in range(3))
        for place, parts in enumerate(self._paths):
            for name in parts[-1:]:
                self._file(name, place)

    def _file(self, name: str, place: int) -> None:
        lower, stem = name.lower(), _stem(name.lower())
        self._by_name[lower].append(place)
        if stem != lower:
            self._by_stem[stem].append(place)
        digits = stem[len(stem.rstrip("0123456789")) :]
        if digits:
            self._by_number[digits.lstrip("0")].append(place)

    def find(self, name: str) -> _Match:
        parts = _parts(name)
        places = self._candidates(parts[-1].lower()) if parts else []
        lower = tuple(part.lower() for part in parts)
        # a whole path below the root first, then the most parts, then those that agree in case as well
        ranks = [self._rank(place, parts, lower) for place in places]
        best = [place for place, rank in zip(places, ranks) if rank == max(ranks)]
        if len(best) != 1:
            return _Match(parts, several=len(best) > 1)
        return _Match(parts, best[0], max(ranks)[1])

    def _candidates(self, name: str) -> list[int]:
        stem = _stem(name)
        tries = [self._by_name[name], self._by_name[stem] if stem != name else self._by_stem[name]]
        numbered = self._by_number[name.lstrip("0")] if name.isascii() and name.isdigit() else []
        return next(filter(None, tries), numbered)

    def _rank(self, place: int, parts: tuple[str, ...], lower: tuple[str, ...]) -> tuple[bool, int, int]:
        path = self._paths[place]
        whole = (*self._root, *path)
        equal = sum(given == found for given, found in zip(reversed(parts), reversed(whole)))
        return path == parts, _agreed(lower, tuple(part.lower() for part in whole)), equal


def _agreed(name: Sequence[str], path: Sequence[str]) -> int:
    count = 1  # the last part, perhaps without its ending, is why the path is looked at
    while count < min(len(name), len(path)) and name[-1 - count] == path[-1 - count]:
        count += 1
    return count


def _stem(name: str) -> str:
    stem, dot, ending = name.rpartition(".")
    return stem if dot and f".{ending}" in EXTENSIONS else name


def _parts(path: str) -> tuple[str, ...]:
    return tuple(part for part in path_as_given(path).split("/") if part not in ("", ".", ".."))
