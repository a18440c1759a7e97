"""Captions in one JSON value: COCO's captions, Karpathy's splits, lists of images, and objects from image to captions."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from seqnets.data.captions.caption_set import Entry
from seqnets.data.captions.text_forms import captioned_object
from seqnets.errors import UserError

FORMS = (
    'COCO\'s {"images": [...], "annotations": [...]}, Karpathy\'s {"images": [{"filename", "sentences", "split"}]}, '
    'a list of {"image", "captions"}, or {"name.jpg": ["caption", ...]}'
)


def json_value(found: Any, path: str) -> Iterator[Entry]:
    """Yield the captions of a parsed JSON file, whose form is told from what is in it.

    Raises:
        UserError: it is of no known form, or an entry lacks something; the message says which.
    """
    if isinstance(found, Mapping) and isinstance(found.get("annotations"), list):
        return _coco(found, path)
    if isinstance(found, Mapping) and isinstance(found.get("images"), list):
        return _objects(found["images"], "images", path)
    if isinstance(found, list):
        return _objects(found, "entries", path)
    if isinstance(found, Mapping) and found and all(isinstance(captions, list | str) for captions in found.values()):
        return _by_name(found, path)
    raise UserError(f"'{path}' is JSON, but of no known form; give {FORMS}")


def _coco(found: Mapping[str, Any], path: str) -> Iterator[Entry]:
    names = dict(_coco_images(found.get("images", []), path))
    for place, annotation in enumerate(found["annotations"]):
        where = f"annotation {place:,} of '{path}'"
        if not isinstance(annotation, Mapping) or type(annotation.get("image_id")) not in (int, str):
            raise UserError(f'{where} must be {{"image_id": ..., "caption": ...}}')
        if not isinstance(annotation.get("caption"), str):
            raise UserError(f"{where} has no text 'caption'")
        number = annotation["image_id"]
        if number not in names:
            raise UserError(f"{where} is of image {number!r}, which 'images' does not list")
        yield Entry(names[number], annotation["caption"], where, image_id=number)


def _coco_images(images: Sequence[Any], path: str) -> Iterator[tuple[Any, str]]:
    for place, image in enumerate(images):
        named = isinstance(image, Mapping) and isinstance(image.get("file_name"), str)
        if not named or type(image.get("id")) not in (int, str):
            raise UserError(f'image {place:,} of \'{path}\' must be {{"id": ..., "file_name": ...}}')
        yield image["id"], image["file_name"]


def _objects(found: Sequence[Any], what: str, path: str) -> Iterator[Entry]:
    for place, image in enumerate(found):
        yield from captioned_object(_with_folder(image), f"entry {place:,} of {what} in '{path}'")


def _with_folder(image: Any) -> Any:
    """Karpathy's COCO file has the folder of an image apart from its name."""
    if not isinstance(image, Mapping) or not all(isinstance(image.get(name), str) for name in ("filepath", "filename")):
        return image
    return {**image, "image": f"{image['filepath']}/{image['filename']}"}


def _by_name(found: Mapping[str, Any], path: str) -> Iterator[Entry]:
    for name, captions in found.items():
        yield from captioned_object({"image": name, "captions": captions}, f"{json.dumps(name)} in '{path}'")
