"""Reads pictures with regions, whatever form they have."""

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from seqnets.data.demo import figures
from seqnets.data.demo.region_scenes import SIDE, draw_regions
from seqnets.data.demo.scene_words import SHAPES
from seqnets.data.images.folder import SPLITS
from seqnets.data.regions.checking import Faults
from seqnets.data.regions.coco import is_coco, read_coco
from seqnets.data.regions.examples import GROUND, IGNORED, RegionExample, RegionSet
from seqnets.data.regions.label_maps import folders_of_maps, read_label_maps
from seqnets.data.regions.poses import is_poses, read_poses
from seqnets.data.regions.voc import is_voc, read_voc
from seqnets.decoders import read_json
from seqnets.errors import UserError

_HELD_OUT = 200  # drawn pictures of validation and test


def read_regions(*sources: str | os.PathLike[str], ignore: int = IGNORED) -> RegionSet:
    """Read pictures with regions: COCO's JSON, VOC's folder, a folder with label maps, or JSON of joints.

    Args:
        sources: files, or one folder. Of several files, and of a folder's, the names say the splits: instances_train.json,
            instances_val.json. None for drawn scenes.
        ignore: for label maps: the number of pixels that do not count.

    Raises:
        UserError: nothing in them is known (the message says what was looked for), or a file is damaged.

    Example:
        >>> str(read_regions())
        'drawn scenes: 2,000 for train, 200 for validation, 200 for test; ... things; 4 classes (circle, square, ...)'
    """
    if not sources:
        return draw_scenes()
    paths = [Path(os.fspath(source)) for source in sources]
    for path in paths:
        if not path.exists():
            raise UserError(f"there is no '{path}'; give a JSON file of COCO's form, or a folder of VOC or with label maps")
    faults = Faults()
    if len(paths) == 1 and paths[0].is_dir():
        return _of_folder(paths[0], faults, ignore)
    return _of_files([path for path in paths if path.is_file()], faults)


def draw_scenes(count: int = 2000, seed: int = 0, *, most: int = 4) -> RegionSet:
    """Draw scenes of one to `most` things, with boxes, masks and phrases."""

    def scene(index: int, seed: int) -> RegionExample:
        drawing = draw_regions(index, seed, most=most)
        things, areas = len(drawing.labels), drawing.masks.sum((1, 2)).astype(np.float32)
        parts = drawing.boxes, drawing.labels, np.zeros(things, bool), areas, tuple(drawing.masks), None
        phrases = tuple((phrase,) for phrase in drawing.phrases)
        return RegionExample(drawing.image, f"scene {index}", (SIDE, SIDE), *parts, phrases)

    return RegionSet("drawn scenes", _drawn(scene, count, seed), SHAPES, (GROUND, *SHAPES))


def draw_figures(count: int = 2000, seed: int = 0) -> RegionSet:
    """Draw persons of lines with 14 joints, one a picture."""

    def person(index: int, seed: int) -> RegionExample:
        image, joints = figures.draw_figure(index, seed)
        box = np.concatenate([joints.min(0), joints.max(0)])[None]
        places = np.concatenate([joints, np.ones((len(joints), 1), np.float32)], 1)[None]
        one = np.zeros(1, np.int32), np.zeros(1, bool), np.prod(box[:, 2:] - box[:, :2], axis=1)
        return RegionExample(image, f"figure {index}", (figures.SIDE, figures.SIDE), box, *one, joints=places)

    return RegionSet("drawn figures", _drawn(person, count, seed), ("person",), (), figures.JOINTS)


def _drawn(draw: Callable[..., RegionExample], count: int, seed: int) -> dict[str, tuple[RegionExample, ...]]:
    held_out = min(_HELD_OUT, count)
    sizes = {"train": count, "validation": held_out, "test": held_out}
    return {
        split: tuple(map(partial(draw, seed=3 * seed + place), range(size))) for place, (split, size) in enumerate(sizes.items())
    }


def _of_folder(folder: Path, faults: Faults, ignore: int) -> RegionSet:
    if is_voc(folder):
        splits, classes = read_voc(folder, faults)
        return _set("VOC", splits, faults, classes=classes)
    if folders_of_maps(folder):
        splits, map_classes = read_label_maps(folder, faults, ignore)
        return _set("label maps", splits, faults, map_classes=map_classes)
    files = sorted([*folder.glob("*.json"), *(folder / "annotations").glob("*.json")])
    known = [path for path in files if is_coco(value := read_json(path)) or is_poses(value)]
    # captions have COCO's lists too, but no categories
    instances = [path for path in known if path.stem.startswith("instances")] or known
    if instances:
        return _of_files(instances, faults)
    raise UserError(
        f"'{folder}' has no regions; looked for COCO's instances_*.json, VOC's Annotations/, JSON with joint_names, and "
        "train/ beside train_labels/ (or images/ beside labels/)"
    )


def _of_files(paths: Sequence[Path], faults: Faults) -> RegionSet:
    splits: dict[str, list[RegionExample]] = {}
    names: list[tuple[tuple[str, ...], tuple[str, ...]]] = []
    kind = "COCO"
    for path in paths:
        value = read_json(path)
        if is_poses(value):
            found, joints = read_poses(path, faults, value)
            kind, own = "joints", (("person",), joints)
        else:
            found, own = read_coco(path, faults, value)
        splits.setdefault(_split_of(path) if len(paths) > 1 else "train", []).extend(found)
        names.append(own)
    if len(set(names)) > 1:
        raise UserError(f"'{paths[0]}' and '{paths[1]}' have different classes or joints; give files of one data set")
    classes, joints = names[0]
    has_masks = any(example.masks for examples in splits.values() for example in examples)
    return _set(kind, splits, faults, classes=classes, map_classes=(GROUND, *classes) if has_masks else (), joints=joints)


def _set(kind: str, splits: Mapping[str, list[RegionExample]], faults: Faults, **names: Any) -> RegionSet:
    if not splits.get("train"):
        raise UserError(
            "; ".join(["there are no pictures to train on; name the files or folders of the split train", *faults.remarks()])
        )
    order = [split for split in SPLITS if splits.get(split)]
    return RegionSet(kind, {split: tuple(splits[split]) for split in order}, remarks=tuple(faults.remarks()), **names)


def _split_of(path: Path) -> str:
    name = path.stem.lower()
    words = {word: split for split, every in SPLITS.items() for word in every}
    return next((words[word] for word in sorted(words, key=len, reverse=True) if word in name), "train")
