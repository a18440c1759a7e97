"""Scores a file of detections in COCO's results form against a file of instances."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from seqnets.data.regions.masks import mask_from_json, mask_pixels
from seqnets.data.regions.phrases import THING
from seqnets.decoders import read_json, reading
from seqnets.errors import UserError
from seqnets.metrics.average_precision import coco_figures
from seqnets.metrics.detections import Detections, Truths
from seqnets.metrics.phrases import PhrasedDetections, PhrasedTruths, phrase_figures

Entries = Sequence[Mapping[str, Any]]


def is_detections(value: Any) -> bool:
    """Return whether the content of a JSON file is a list of detections.

    Example:
        >>> is_detections([{"image_id": 1, "bbox": [0, 0, 2, 2], "score": 0.5}]), is_detections([{"caption": "a dog"}])
        (True, False)
    """
    return (
        isinstance(value, list)
        and bool(value)
        and isinstance(value[0], Mapping)
        and bool({"bbox", "segmentation"} & set(value[0]))
    )


def score_detections(results: str, instances: str) -> dict[str, dict[str, float]]:
    """Return COCO's twelve figures of the boxes, and of the masks where all detections have them; those of phrases likewise.

    Args:
        results: a JSON list of {image_id, category_id or category (a name), bbox: [left, top, width, height], score}, and
            segmentation for masks, caption for phrases. An image_id is that of the instances, or the stem of the file's name.
        instances: COCO's JSON of the truth.

    Returns:
        `boxes`, and perhaps `masks` and `phrases`: figures by name.

    Raises:
        UserError: a file has another form, or a picture or a category is not in the instances.
    """
    found, truth = read_json(Path(results)), read_json(Path(instances))
    if not is_detections(found):
        raise UserError(f"'{results}' is not a list of detections; give objects with image_id, category_id, bbox and score")
    with reading(instances, "the file of instances", "give a file in COCO's form"):
        sizes = {image["id"]: (int(image["height"]), int(image["width"])) for image in truth["images"]}
        stems = {Path(image["file_name"]).stem: image["id"] for image in truth["images"]}
        categories = {one["name"]: one["id"] for one in truth["categories"]}
        known = truth["annotations"]
        if THING not in categories and all(entry.get("category") == THING for entry in found):  # phrases, not classes
            categories, known = {THING: 0}, [{**entry, "category_id": 0} for entry in known]
        there = _by_image(known)
    with reading(results, "the file of detections", "give objects with image_id, category_id, bbox and score"):
        mine = _by_image([_known(entry, sizes, stems, categories, results) for entry in found])
        figures = {}
        masked = all(entry.get("segmentation") for entry in found)
        if all("bbox" in entry for entry in found):
            figures["boxes"] = _figures(sizes, there, mine, False)
        if masked and all(entry.get("segmentation") for entries in there.values() for entry in entries):
            figures["masks"] = _figures(sizes, there, mine, True)
        if all(entry.get("caption") and "bbox" in entry for entry in found):
            figures |= _of_phrases(sizes, there, mine)
    if not figures:
        raise UserError(f"'{results}' has masks but '{instances}' has not, or only some have; give boxes, or masks in both")
    return figures


def _known(entry: Mapping[str, Any], sizes: Any, stems: Any, categories: Mapping[str, int], results: str) -> Mapping[str, Any]:
    image, category = _image(entry, sizes, stems, results), _category(entry, categories)
    return {**entry, "image_id": image, "category_id": category}


def _figures(
    sizes: Mapping[Any, tuple[int, int]], there: Mapping[Any, Entries], mine: Mapping[Any, Entries], masks: bool
) -> dict[str, float]:
    # in the order of the numbers, which decides between equal scores
    order = sorted(sizes, key=lambda image: (isinstance(image, str), image))
    truths = [_truths(there.get(image, ()), sizes[image], masks) for image in order]
    found = [_detections(mine.get(image, ()), sizes[image], masks) for image in order]
    return coco_figures(truths, found, of_masks=masks)


def _of_phrases(
    sizes: Mapping[Any, Any], there: Mapping[Any, Entries], mine: Mapping[Any, Entries]
) -> dict[str, dict[str, float]]:
    pairs = [([one for one in there.get(image, ()) if one.get("caption")], mine.get(image, ())) for image in sizes]
    if not any(known for known, _ in pairs):
        return {}
    truths = [PhrasedTruths(_corners(known), [[str(one["caption"])] for one in known]) for known, _ in pairs]
    said = [[str(one["caption"]) for one in some] for _, some in pairs]
    found = [PhrasedDetections(_corners(some), _column(some, "score", float), text) for (_, some), text in zip(pairs, said)]
    return {"phrases": phrase_figures(truths, found)}


def _truths(entries: Entries, size: tuple[int, int], masks: bool) -> Truths:
    crowd = np.array([bool(entry.get("iscrowd", 0)) for entry in entries], bool)
    areas = np.array([entry.get("area", entry["bbox"][2] * entry["bbox"][3]) for entry in entries], float)
    return Truths(_corners(entries), _column(entries, "category_id", int), crowd, areas, _masks(entries, size) if masks else None)


def _detections(entries: Entries, size: tuple[int, int], masks: bool) -> Detections:
    parts = _column(entries, "category_id", int), _column(entries, "score", float)
    return Detections(_corners(entries), *parts, _masks(entries, size) if masks else None)


def _masks(entries: Entries, size: tuple[int, int]) -> np.ndarray:
    pixels = [mask_pixels(mask_from_json(entry["segmentation"]), size) for entry in entries]
    return np.stack(pixels) if pixels else np.zeros((0, *size), bool)


def _corners(entries: Entries) -> np.ndarray:
    boxes = np.array([entry.get("bbox", (0, 0, 0, 0)) for entry in entries], float).reshape(-1, 4)
    return np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], 1)


def _column(entries: Entries, name: str, kind: type) -> np.ndarray:
    return np.array([entry[name] for entry in entries], kind)


def _by_image(entries: Entries) -> dict[Any, list[Mapping[str, Any]]]:
    found = defaultdict(list)
    for entry in entries:
        found[entry["image_id"]].append(entry)
    return dict(found)


def _image(entry: Mapping[str, Any], sizes: Mapping[Any, Any], stems: Mapping[str, Any], results: str) -> Any:
    image = entry["image_id"]
    if image in sizes:
        return image
    if str(image) in stems:
        return stems[str(image)]
    raise UserError(f"'{results}' has the picture {image!r}, which the instances lack; score the pictures that they list")


def _category(entry: Mapping[str, Any], categories: Mapping[str, int]) -> int:
    number = entry.get("category_id", categories.get(entry.get("category", "")))
    if number in categories.values():
        return number
    shown = ", ".join(list(categories)[:8])
    raise UserError(f"the category {entry.get('category', number)!r} is not one of the instances' ({shown}, ...); rename it")
