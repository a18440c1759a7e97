"""Captions in the JSON files of COCO: results to be scored, and references."""

import json
from collections.abc import Collection, Mapping
from os import PathLike
from typing import Any

from seqnets.decoders import read_json
from seqnets.errors import UserError
from seqnets.metrics.scorer import ImageId

RESULTS_FORM = '[{"image_id": 1, "caption": "a dog"}, ...]'
REFERENCES_FORM = '{"images": [...], "annotations": [{"image_id": 1, "caption": "a dog"}, ...]}'

_KINDS = {dict: "an object", list: "a list", str: "a text", bool: "true or false", float: "a fraction", int: "a number"}


def read_results(path: str | PathLike[str]) -> dict[ImageId, str]:
    """Read captions in COCO's results form: [{"image_id": 1, "caption": "a dog"}, ...].

    Args:
        path: a JSON file.

    Returns:
        The caption of each image, in the order of the file.

    Raises:
        UserError: the file is not of that form, holds no caption, or two of one image.
    """
    found = _read(path, "results")
    if isinstance(found, dict) and "annotations" in found:
        raise UserError(
            f"results '{path}' hold references (an object with annotations); name the results first, then the references"
        )
    if not isinstance(found, list):
        raise UserError(f"results '{path}' must be {RESULTS_FORM}, not {_shown(found)}")
    if not found:
        raise UserError(f"results '{path}' hold no caption; give at least one: {RESULTS_FORM}")
    captions: dict[ImageId, str] = {}
    for place, entry in enumerate(found):
        image, caption = _entry(entry, f"entry {place} of results '{path}'")
        if image in captions:
            raise UserError(f"results '{path}' caption image {image!r} twice (again at entry {place}); keep one caption an image")
        captions[image] = caption
    return captions


def read_references(path: str | PathLike[str]) -> dict[ImageId, list[str]]:
    """Read captions in COCO's captions form: {"images": [...], "annotations": [{"image_id": 1, "caption": "a dog"}, ...]}.

    Only the annotations are read; an image that has none does not appear.

    Args:
        path: a JSON file.

    Returns:
        The captions of each image, in the order of the file.

    Raises:
        UserError: the file is not of that form, or holds no caption.
    """
    found = _read(path, "references")
    annotations = found.get("annotations") if isinstance(found, dict) else None
    if not isinstance(annotations, list):
        raise UserError(f"references '{path}' must be {REFERENCES_FORM}, not {_shown(found)}")
    if not annotations:
        raise UserError(f"references '{path}' hold no annotation; give at least one caption: {REFERENCES_FORM}")
    captions: dict[ImageId, list[str]] = {}
    for place, entry in enumerate(annotations):
        image, caption = _entry(entry, f"annotation {place} of references '{path}'")
        captions.setdefault(image, []).append(caption)
    return captions


def check_images(results: Collection[ImageId], references: Mapping[ImageId, Any], *, partial: bool = False) -> None:
    """Refuse results for other images than those with references.

    Args:
        results: the images that have a caption.
        references: the images that have references.
        partial: allow images that have references but no caption.

    Raises:
        UserError: an image lacks references, or, unless partial, a caption.

    Example:
        >>> check_images([1, 7], {1: ["a dog"]})
        Traceback (most recent call last):
        ...
        seqnets.errors.UserError: 1 of 2 images in the results has no reference caption (7); caption only images of the references
    """
    bare = [image for image in results if image not in references]
    if bare:
        what = f"{_some(bare, len(results), 'results')} no reference caption ({_listed(bare)})"
        raise UserError(f"{what}; {_hint(bare, references)}")
    missing = [] if partial else [image for image in references if image not in results]
    if missing:
        what = f"{_some(missing, len(references), 'references')} no caption in the results ({_listed(missing)})"
        raise UserError(f"{what}; caption them, or score only what is there with --partial")


def _read(path: str | PathLike[str], what: str) -> Any:
    return read_json(path, f"the file of {what}")


def _entry(entry: Any, where: str) -> tuple[ImageId, str]:
    if not isinstance(entry, dict):
        raise UserError(f'{where} must be {{"image_id": ..., "caption": ...}}, not {_shown(entry)}')
    for name in ("image_id", "caption"):
        if name not in entry:
            raise UserError(f"{where} has no '{name}', only {_listed(list(entry)) or 'nothing'}; give it one")
    image, caption = entry["image_id"], entry["caption"]
    if type(image) not in (int, str):
        raise UserError(f"'image_id' in {where} must be a whole number or a text, not {_shown(image)}")
    if not isinstance(caption, str):
        raise UserError(f"'caption' in {where} must be a text, not {_shown(caption)}")
    return image, caption


def _shown(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, dict):
        return f"an object with {_listed(list(value))}" if value else "an empty object"
    text = json.dumps(value, ensure_ascii=False)
    return f"{_KINDS[type(value)]} ({text if len(text) <= 40 else text[:37] + '...'})"


def _some(found: list[ImageId], among: int, where: str) -> str:
    return f"{len(found):,} of {among:,} image{'s'[: among != 1]} in the {where} {'has' if len(found) == 1 else 'have'}"


def _listed(values: list[Any]) -> str:
    return ", ".join(repr(value)[:40] for value in values[:3]) + ", ..." * (len(values) > 3)


def _hint(bare: list[ImageId], references: Mapping[ImageId, Any]) -> str:
    if any((str(image) if isinstance(image, int) else _number(image)) in references for image in bare):
        return "image_id is a number in one file and a text in the other; write it alike in both"
    return "caption only images of the references"


def _number(text: str) -> int | None:
    return int(text) if text.isdecimal() and len(text) < 20 else None
