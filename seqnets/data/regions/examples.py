"""Pictures and what is true of their regions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from PIL import Image

from seqnets.data.examples.held_out import held_out
from seqnets.data.fingerprint import digest_of
from seqnets.data.regions.masks import Mask, mask_pixels
from seqnets.errors import UserError

IGNORED = 255  # the label of pixels that do not count
GROUND = "background"


@dataclass(frozen=True)
class RegionExample:
    """A picture with M things.

    Args:
        image: `(H, W, C)` of uint8, or the path of an image file.
        name: identifies the picture, and decides whether it is held out.
        size: (H, W) in pixels.
        boxes: float32 `(M, 4)`: left, top, right, bottom in pixels.
        labels: int32 `(M,)`: class numbers.
        is_crowd: bool `(M,)`: groups that are neither right nor wrong.
        areas: float32 `(M,)`: square pixels, for the figures of small and large things.
        masks: M masks; empty where there are none.
        joints: float32 `(M, K, 3)`: x, y and 1 where known; None where there are none.
        phrases: M lists of phrases; empty where there are none.
        label_map: uint8 `(H, W)` of class numbers, 255 where none counts, or the path of such a file.
        proposals: float32 `(P, 4)`: boxes that may hold a thing, the likeliest first; None where there are none.
    """

    image: Path | np.ndarray
    name: str
    size: tuple[int, int]
    boxes: np.ndarray = field(default_factory=lambda: np.zeros((0, 4), np.float32))
    labels: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int32))
    is_crowd: np.ndarray = field(default_factory=lambda: np.zeros(0, bool))
    areas: np.ndarray = field(default_factory=lambda: np.zeros(0, np.float32))
    masks: tuple[Mask, ...] = ()
    joints: np.ndarray | None = None
    phrases: tuple[tuple[str, ...], ...] = ()
    label_map: Path | np.ndarray | None = None
    proposals: np.ndarray | None = None

    def taken(self, rows: np.ndarray) -> "RegionExample":
        """Return the example with some of its things."""
        rows = np.arange(len(self.labels))[rows]
        chosen = {name: getattr(self, name)[rows] for name in ("boxes", "labels", "is_crowd", "areas")}
        if self.joints is not None:
            chosen["joints"] = self.joints[rows]
        for name in ("masks", "phrases"):
            chosen[name] = tuple(getattr(self, name)[row] for row in rows) if getattr(self, name) else ()
        return replace(self, **chosen)

    def largest(self) -> "RegionExample":
        """Return the example with its largest thing alone; crowds do not count."""
        sizes = np.where(self.is_crowd, -1, np.prod(self.boxes[:, 2:] - self.boxes[:, :2], axis=1))
        return self.taken(np.argsort(-sizes, kind="stable")[:1] if (sizes >= 0).any() else np.zeros(0, int))

    def pixel_labels(self) -> np.ndarray | None:
        """Return the map of classes, uint8 `(H, W)`: as given, or painted from the masks, the smallest things last.

        In a painted map the ground is 0 and class c is c + 1; crowds are 255. None if there are neither.
        """
        if isinstance(self.label_map, np.ndarray):
            return self.label_map
        if self.label_map is not None:
            return read_label_map(self.label_map, self.size)
        if not self.masks and len(self.labels):
            return None
        pixels = np.zeros(self.size, np.uint8)
        for row in np.argsort(-self.areas, kind="stable"):
            pixels[mask_pixels(self.masks[row], self.size)] = IGNORED if self.is_crowd[row] else self.labels[row] + 1
        return pixels


@dataclass(frozen=True)
class RegionSet:
    """Pictures with regions, and the names in them.

    Args:
        kind: what was found: "COCO", "VOC", "label maps", "joints", "drawn scenes", "drawn figures".
        splits: "train", and "validation" and "test" where present.
        classes: the names of the classes of things.
        map_classes: the names of the classes of pixels; empty where there are neither maps nor masks.
        joints: the names of the joints.
        remarks: sentences about what was left out or mended.
    """

    kind: str
    splits: Mapping[str, tuple[RegionExample, ...]]
    classes: tuple[str, ...] = ()
    map_classes: tuple[str, ...] = ()
    joints: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    def __str__(self) -> str:
        parts = ", ".join(f"{len(examples):,} for {name}" for name, examples in self.splits.items())
        things = sum(len(example.labels) for examples in self.splits.values() for example in examples)
        names = self.classes if things else self.map_classes
        shown = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
        counted = f"; {things:,} things" if things else ""
        return f"{self.kind}: {parts}{counted}; {len(names)} classes ({shown})"

    def with_validation(self, fraction: float) -> "RegionSet":
        """Return the set with a share of its training pictures held out, where it has no validation split."""
        if "validation" in self.splits or not fraction:
            return self
        train = self.splits["train"]
        chosen = held_out([example.name for example in train], fraction)
        parts = {"train": [], "validation": []}
        for example, out in zip(train, chosen):
            parts["validation" if out else "train"].append(example)
        others = {name: examples for name, examples in self.splits.items() if name != "train"}
        return replace(self, splits={**{name: tuple(part) for name, part in parts.items()}, **others})

    def mapped(self, change) -> "RegionSet":
        """Return the set with `change` applied to the examples of every split."""
        return replace(self, splits={name: tuple(change(examples)) for name, examples in self.splits.items()})

    def fingerprint(self) -> dict[str, str | int]:
        """Return the counts of the splits and a hash of names, regions and the sizes of files."""
        arrays = {"names": np.array([*self.classes, "", *self.map_classes, "", *self.joints])}
        for split, examples in self.splits.items():
            parts = [part for example in examples for part in _identity(example)]
            arrays[split] = np.array(parts)
        counts: dict[str, str | int] = {f"{name}_pictures": len(examples) for name, examples in self.splits.items()}
        return {**counts, "regions_digest": digest_of(arrays)}


def read_label_map(path: Path, size: tuple[int, int] | None = None) -> np.ndarray:
    """Read a picture whose pixels are class numbers: PNG with a palette or gray, of 8 bits.

    Args:
        path: the file.
        size: (H, W) that it must have; None for any.

    Returns:
        uint8 `(H, W)`.

    Raises:
        UserError: it cannot be read, has colors instead of numbers, or has another size.
    """
    from seqnets.data.images.files import MAX_PIXELS, ImageError

    try:
        with Image.open(path, formats=("PNG", "GIF", "BMP", "TIFF")) as image:
            if image.width * image.height > MAX_PIXELS:
                raise ImageError(f"'{path}' has {image.width:,} x {image.height:,} pixels; shrink it")
            if image.mode not in ("P", "L", "1"):
                raise ImageError(f"'{path}' has colors ({image.mode}), not class numbers; save it with a palette or gray")
            pixels = np.asarray(image, np.uint8)
    except ImageError:
        raise
    except Exception as error:  # decoders fail in many ways on damaged data
        raise ImageError(f"'{path}' cannot be read as a label map: {str(error).splitlines()[0][:100]}") from None
    if size is not None and pixels.shape != tuple(size):
        raise UserError(f"'{path}' has {pixels.shape[0]} x {pixels.shape[1]} pixels, but its picture {size[0]} x {size[1]}")
    return pixels


def swapped_sides(names: Sequence[str]) -> np.ndarray:
    """Return, for each joint, the one that it becomes when the picture is mirrored: left and right change places.

    Example:
        >>> swapped_sides(["right hip", "left hip", "neck", "left_eye"]).tolist()
        [1, 0, 2, 3]
    """
    places = {name: place for place, name in enumerate(names)}
    other = [name.replace("left", "\0").replace("right", "left").replace("\0", "right") for name in names]
    return np.array([places.get(name, place) for place, name in enumerate(other)], int)


def _identity(example: RegionExample) -> list[str]:
    joints = np.zeros(0) if example.joints is None else example.joints
    found = digest_of({"boxes": example.boxes, "labels": example.labels, "crowd": example.is_crowd, "joints": joints})
    proposals = [] if example.proposals is None else [digest_of({"proposals": example.proposals})]
    phrases = [phrase for phrases in example.phrases for phrase in (str(len(phrases)), *phrases)]
    return [example.name, found, _content(example.image), _content(example.label_map), *proposals, *phrases]


def _content(source: Path | np.ndarray | None) -> str:
    if source is None:
        return ""
    if isinstance(source, np.ndarray):
        return digest_of({"pixels": source})
    return str(source.stat().st_size) if source.is_file() else "missing"
