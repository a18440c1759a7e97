"""COCO's JSON: boxes, polygons, run lengths, crowds and joints; and phrases, as a caption of each thing.

References:
    Lin et al., "Microsoft COCO: common objects in context", 2014.
"""

import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from seqnets.data.regions.checking import Faults, checked
from seqnets.data.regions.examples import RegionExample
from seqnets.data.regions.masks import Mask, RunLengths, mask_from_json
from seqnets.decoders import read_json, reading
from seqnets.errors import UserError

Names = tuple[tuple[str, ...], tuple[str, ...]]


def is_coco(value: Any) -> bool:
    """Return whether the content of a JSON file has COCO's lists."""
    return isinstance(value, Mapping) and {"images", "annotations", "categories"} <= value.keys()


def read_coco(path: Path, faults: Faults, value: Any = None) -> tuple[list[RegionExample], Names]:
    """Read a file of instances or of persons' joints.

    Args:
        path: the file; its pictures lie beside it, in a folder with its name's last word, or in images/ or that of the split.
        faults: counts what was wrong.
        value: its content, if it was read.

    Returns:
        The examples, and the names of the classes (in the order of their numbers) and of the joints.

    Raises:
        UserError: the file does not have COCO's form, or none of its pictures is there.
    """
    value = read_json(path) if value is None else value
    if not is_coco(value):
        raise UserError(f"'{path}' has no lists images, annotations and categories, as COCO's files do; give such a file")
    with reading(path, "the file of regions", "give a file in COCO's form"):
        categories = sorted(value["categories"], key=lambda one: one["id"])
        numbers = {one["id"]: number for number, one in enumerate(categories)}
        joints = next((tuple(one["keypoints"]) for one in categories if one.get("keypoints")), ())
        entries = defaultdict(list)
        for entry in value["annotations"]:
            entries[entry["image_id"]].append(entry)
        folder = _folder(path, [image["file_name"] for image in value["images"]])
        found = []
        for image in value["images"]:
            file = folder / image["file_name"]
            if not file.is_file():
                faults.add("no picture", image["file_name"])
                continue
            size = int(image["height"]), int(image["width"])
            found.append(checked(_example(file, size, entries[image["id"]], numbers, len(joints), faults), faults))
        return found, (tuple(str(one["name"]) for one in categories), tuple(map(str, joints)))


def _example(
    file: Path, size: tuple[int, int], entries: list[Any], numbers: Mapping[int, int], joints: int, faults: Faults
) -> RegionExample:
    pairs = [(entry, _mask(entry, size, file, faults)) for entry in entries]
    pairs = [(entry, mask) for entry, mask in pairs if mask is not None]
    boxes = np.array([_corners(entry["bbox"]) for entry, _ in pairs], np.float32).reshape(-1, 4)
    labels = np.array([numbers.get(entry["category_id"], -1) for entry, _ in pairs], np.int32)
    crowd = np.array([bool(entry.get("iscrowd", 0)) for entry, _ in pairs], bool)
    areas = np.array([entry.get("area", entry["bbox"][2] * entry["bbox"][3]) for entry, _ in pairs], np.float32)
    masks = tuple(mask for _, mask in pairs)
    has_masks = bool(masks) and not any(mask is NO_MASK for mask in masks)
    places = np.array([_places(entry.get("keypoints"), joints) for entry, _ in pairs], np.float32).reshape(len(pairs), joints, 3)
    said = tuple((str(entry["caption"]),) if entry.get("caption") else () for entry, _ in pairs)
    optional = masks if has_masks else (), places if joints else None, said if any(said) else ()
    return RegionExample(file, file.name, size, boxes, labels, crowd, areas, *optional)


NO_MASK = np.zeros((0, 0), bool)


def _mask(entry: Mapping[str, Any], size: tuple[int, int], file: Path, faults: Faults) -> Mask | None:
    if not entry.get("segmentation"):
        return NO_MASK
    try:
        mask = mask_from_json(entry["segmentation"])
    except (UserError, ValueError, TypeError):
        mask = None
    if mask is None or (isinstance(mask, RunLengths) and mask.size != size):
        faults.add("mask", file.name)
        return None
    return mask


def _corners(box: list[float]) -> list[float]:
    left, top, width, height = map(float, box)
    return [left, top, left + width, top + height]


def _places(values: Any, joints: int) -> np.ndarray:
    if not values or len(values) != 3 * joints:
        return np.zeros((joints, 3), np.float32)
    return np.asarray(values, np.float32).reshape(joints, 3)


def _folder(path: Path, names: list[str]) -> Path:
    word = re.split(r"[_.]", path.stem)[-1]
    short = re.sub(r"\d+$", "", word)
    parts = ["", word, short, "images", f"images/{word}", f"images/{short}"]
    folders = [base / part for base in (path.parent, path.parent.parent) for part in parts]
    for folder in folders:
        if any((folder / name).is_file() for name in names[:20]):
            return folder
    looked = ", ".join(f"'{folder}'" for folder in folders[:4])
    raise UserError(f"the pictures of '{path}', such as '{(names or ['?'])[0]}', are not in {looked}; put them there")
