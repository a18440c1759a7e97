"""Joints of one person a picture, as JSON: {"joint_names": [...], "images": [{"file": ..., "joints": [[x, y], ...]}, ...]}."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from seqnets.data.regions.checking import Faults, checked
from seqnets.data.regions.examples import RegionExample
from seqnets.decoders import read_json, reading


def is_poses(value: Any) -> bool:
    """Return whether the content of a JSON file has this form."""
    return isinstance(value, Mapping) and {"joint_names", "images"} <= value.keys()


def read_poses(path: Path, faults: Faults, value: Any = None) -> tuple[list[RegionExample], tuple[str, ...]]:
    """Read the people of a file; the pictures lie beside it, or in the folder of its name (train/ for train.json).

    A joint is [x, y] or [x, y, visible]; the box of a person is that of the known joints.

    Returns:
        The examples and the names of the joints.

    Raises:
        UserError: the file has another form.
    """
    value = read_json(path) if value is None else value
    with reading(path, "the file of joints", "give joint_names, and images with file and joints"):
        names = tuple(map(str, value["joint_names"]))
        examples = [_example(path, entry, len(names), faults) for entry in value["images"]]
    return [checked(example, faults) for example in examples if example is not None], names


def _example(path: Path, entry: Mapping[str, Any], count: int, faults: Faults) -> RegionExample | None:
    folders = (path.parent, path.with_suffix(""), path.parent / "images")
    file = next((folder / entry["file"] for folder in folders if (folder / entry["file"]).is_file()), None)
    if file is None:
        faults.add("no picture", str(entry["file"]))
        return None
    size = _size(entry, file)
    joints = np.array([[*joint, 1][:3] if len(joint) == 2 else joint[:3] for joint in entry["joints"]], np.float32)
    joints = joints.reshape(1, count, 3)
    known = (joints[0, :, 2] > 0) & np.isfinite(joints[0]).all(-1) & (joints[0, :, :2] != 0).any(-1)
    at = joints[0, known, :2] if known.any() else np.zeros((1, 2), np.float32)
    box = np.concatenate([at.min(0), at.max(0)])[None]
    area = np.prod(box[:, 2:] - box[:, :2], axis=1)
    return RegionExample(file, file.name, size, box, np.zeros(1, np.int32), np.zeros(1, bool), area, joints=joints)


def _size(entry: Mapping[str, Any], file: Path) -> tuple[int, int]:
    if "height" in entry and "width" in entry:
        return int(entry["height"]), int(entry["width"])
    with Image.open(file) as image:
        return image.height, image.width
