"""Results in COCO's JSON, and the matching of their images to references."""

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from os import PathLike
from typing import Any

from seqnets.data.images.names import match_names
from seqnets.decoders import read_json
from seqnets.errors import UserError
from seqnets.metrics.scorer import ImageId

RESULTS_FORM = '[{"image_id": 1, "caption": "a dog"}, ...]'

_KINDS = {dict: "an object", list: "a list", str: "a text", bool: "true or false", float: "a fraction", int: "a number"}


def read_results(path: str | PathLike[str]) -> dict[ImageId, str]:
    """Read captions in COCO's results form: [{"image_id": 1, "caption": "a dog"}, ...].

    Args:
        path: a JSON file.

    Returns:
        The caption of each image, in the order of the file.

    Raises:
        UserError: the file does not have that form, holds no caption, or holds two captions of one image.
    """
    found = _read(path, "results")
    if isinstance(found, dict) and "annotations" in found:
        raise UserError(
            f"results '{path}' hold references (an object with annotations); name the results first, then the references"
        )
    if not isinstance(found, list):
        raise UserError(f"results '{path}' must be {RESULTS_FORM}, not {_shown(found)}")
    if not found:
        raise UserError(f"results '{path}' hold no captions; give at least one: {RESULTS_FORM}")
    captions: dict[ImageId, str] = {}
    for place, entry in enumerate(found):
        image, caption = _entry(entry, f"entry {place} of results '{path}'")
        if image in captions:
            raise UserError(f"results '{path}' caption image {image!r} twice (also at entry {place}); keep one caption of it")
        captions[image] = caption
    return captions


def reference_ids(results: Collection[ImageId], ids: Sequence[ImageId], names: Sequence[str]) -> dict[ImageId, ImageId]:
    """Return the reference image of each result, matched by its id, else by its file name.

    Args:
        results: the image ids of the results.
        ids: the image ids of the references.
        names: the file names of the references.

    Returns:
        For each result the image of the references; the result's own name where there is none.

    Raises:
        UserError: a name matches several images, or two results belong to one image.

    Example:
        >>> reference_ids([7, "photos/b.jpg", "c.jpg"], [7, 9], ["a.jpg", "b.jpg"])
        {7: 7, 'photos/b.jpg': 9, 'c.jpg': 'c.jpg'}
    """
    known = set(ids)
    paired = {result: next((each for each in (result, _other_type(result)) if each in known), result) for result in results}
    # where the references number their images, an unknown number is not matched to the end of a file name
    numbered = any(isinstance(each, int) for each in known)
    others = [str(each) for each in results if paired[each] not in known and not (numbered and str(each).isdecimal())]
    found = match_names(others, names)
    if found.shared:
        raise UserError(f"image {found.shared[0]!r} of the results matches several of the references; give more of its path")
    by_name = {result: ids[place] for result, place in zip(others, found.places) if place is not None}
    paired = {result: by_name.get(str(result), image) for result, image in paired.items()}
    twice = next((image for image, count in Counter(paired.values()).items() if count > 1), None)
    if twice is not None:
        names_of = " and ".join(repr(result) for result, image in paired.items() if image == twice)
        raise UserError(f"{names_of} in the results are both image {twice!r} of the references; keep one caption per image")
    return paired


def check_images(results: Collection[ImageId], references: Mapping[ImageId, Any], *, partial: bool = False) -> None:
    """Refuse results of images without references.

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
        raise UserError(f"{what}; caption only images of the references")
    missing = [] if partial else [image for image in references if image not in results]
    if missing:
        what = f"{_some(missing, len(references), 'references')} no caption in the results ({_listed(missing)})"
        raise UserError(f"{what}; caption them, or pass --partial to score only the captions given")


def _read(path: str | PathLike[str], what: str) -> Any:
    return read_json(path, f"the file of {what}")


def _entry(entry: Any, where: str) -> tuple[ImageId, str]:
    if not isinstance(entry, dict):
        raise UserError(f'{where} must be {{"image_id": ..., "caption": ...}}, not {_shown(entry)}')
    named = next((entry[name] for name in ("image_id", "file_name", "image", "file") if name in entry), None)
    entry = {**entry, "image_id": named} if named is not None else entry
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


def _other_type(image: ImageId) -> ImageId | None:
    if isinstance(image, int):
        return str(image)
    return int(image) if image.isdecimal() and len(image) < 20 else None
