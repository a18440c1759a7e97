"""Finds what is wrong with regions, the commonest cause of failed training: mended or left out, counted and named."""

from collections import Counter
from dataclasses import replace

import numpy as np

from seqnets.data.regions.examples import RegionExample

FAULTS = {
    "not finite": "{count} with coordinates that are not numbers {are} left out",
    "swapped": "{count} with swapped corners {are} mended",
    "no area": "{count} without area {are} left out",
    "outside": "{count} outside of {their} picture {are} left out",
    "cut": "{count} that reach beyond {their} picture {are} cut off at its border",
    "unknown category": "{count} of a category that the file does not list {are} left out",
    "mask": "{count} with a damaged mask, or one of another size than {their} picture, {are} left out",
    "joint at zero": "{count} at (0, 0) {are} taken for unknown",
    "joint outside": "{count} outside of {their} picture {are} taken for unknown",
    "no boxes": "{count} without boxes: background alone",
    "no picture": "{count} that the file lists {are} missing and left out",
    "label map": "{count} without a label map of {their} size {are} left out",
    "proposal not finite": "{count} with coordinates that are not numbers {are} left out",
    "proposal swapped": "{count} with swapped corners {are} mended",
    "proposal no area": "{count} without area {are} left out",
    "proposal outside": "{count} outside of {their} picture {are} left out",
    "proposal cut": "{count} that reach beyond {their} picture {are} cut off at its border",
    "other picture": "the proposals of {count} that {are} not in the data are left out",
    "no proposals": "{count} without proposals: nothing is found there",
}
_UNITS = {"joint": ("joint", "joints"), "no boxes": ("picture", "pictures"), "no picture": ("picture", "pictures"),
          "label map": ("picture", "pictures"), "proposal": ("proposal", "proposals"), "other picture": ("picture", "pictures"),
          "no proposals": ("picture", "pictures")}  # fmt: skip


class Faults:
    """Counts faults, with the first place of each.

    Example:
        >>> faults = Faults()
        >>> faults.add("no area", "a.jpg")
        >>> faults.add("no area", "b.jpg")
        >>> faults.remarks()
        ["2 boxes without area are left out, the first in 'a.jpg'"]
    """

    def __init__(self) -> None:
        self.counts, self._first = Counter[str](), dict[str, str]()

    def add(self, fault: str, where: str, count: int = 1) -> None:
        """Count a fault of the table `FAULTS` in a picture."""
        if count:
            self.counts[fault] += int(count)
            self._first.setdefault(fault, where)

    def remarks(self) -> list[str]:
        """Return a sentence for each kind of fault."""
        return [
            f"{_said(fault, self.counts[fault])}, the first in '{self._first[fault]}'" for fault in FAULTS if self.counts[fault]
        ]


def checked(example: RegionExample, faults: Faults) -> RegionExample:
    """Return an example whose boxes have an area and lie within the picture, and whose joints are known or marked as unknown.

    Args:
        example: the example, as a reader found it; a label below 0 is an unknown category.
        faults: counts what was wrong.

    Example:
        >>> faults = Faults()
        >>> boxes = np.array([[5, 5, 1, 1], [2, 2, 2, 8], [4, 4, 99, 6]], np.float32)
        >>> bad = RegionExample(np.zeros((9, 9, 3), np.uint8), "a", (9, 9), boxes, *np.zeros((3, 3)))
        >>> checked(bad, faults).boxes.tolist(), sorted(faults.counts)
        ([[1.0, 1.0, 5.0, 5.0], [4.0, 4.0, 9.0, 6.0]], ['cut', 'no area', 'swapped'])
    """
    example = _things(example, faults)
    if not len(example.labels) and example.label_map is None:
        faults.add("no boxes", example.name)
    return example if example.joints is None else replace(example, joints=_joints(example, faults))


def _things(example: RegionExample, faults: Faults) -> RegionExample:
    height, width = example.size
    boxes = np.asarray(example.boxes, np.float32).reshape(-1, 4)
    finite = np.asarray(np.isfinite(boxes).all(1))
    faults.add("not finite", example.name, (~finite).sum())
    boxes = np.where(finite[:, None], boxes, 0)
    ordered = np.concatenate([np.minimum(boxes[:, :2], boxes[:, 2:]), np.maximum(boxes[:, :2], boxes[:, 2:])], 1)
    faults.add("swapped", example.name, (ordered != boxes).any(1).sum())
    known = finite & (example.labels >= 0)
    faults.add("unknown category", example.name, (finite & ~known).sum())
    flat = known & (ordered[:, 2:] <= ordered[:, :2]).any(1)
    faults.add("no area", example.name, flat.sum())
    inside = np.clip(ordered, 0, np.array([width, height, width, height], np.float32))
    outside = known & ~flat & (inside[:, 2:] <= inside[:, :2]).any(1)
    faults.add("outside", example.name, outside.sum())
    kept = known & ~flat & ~outside
    # a border that was rounded to the next pixel is no fault
    faults.add("cut", example.name, (kept & (np.abs(inside - ordered) > 1).any(1)).sum())
    labels, crowd = np.asarray(example.labels, np.int32), np.asarray(example.is_crowd, bool)
    return replace(example, boxes=inside, labels=labels, is_crowd=crowd).taken(kept)


def _joints(example: RegionExample, faults: Faults) -> np.ndarray:
    height, width = example.size
    joints = np.array(example.joints, np.float32)
    at, known = joints[..., :2], joints[..., 2] > 0
    finite = np.isfinite(joints).all(-1)
    faults.add("not finite", example.name, (~finite).sum())
    zero = np.logical_and.reduce([finite, known, (at == 0).all(-1)])
    faults.add("joint at zero", example.name, zero.sum())
    outside = known & finite & ((at < 0) | (at > np.array([width, height], np.float32))).any(-1)
    faults.add("joint outside", example.name, outside.sum())
    kept = np.asarray(known & finite & ~zero & ~outside)
    return np.where(kept[..., None], np.concatenate([at, np.ones_like(at[..., :1])], -1), 0)


def _said(fault: str, count: int) -> str:
    one, many = next((units for word, units in _UNITS.items() if fault.startswith(word)), ("box", "boxes"))
    words = {"are": "is", "their": "its"} if count == 1 else {"are": "are", "their": "their"}
    return FAULTS[fault].format(count=f"{count:,} {one if count == 1 else many}", **words)
