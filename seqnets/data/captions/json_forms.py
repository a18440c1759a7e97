"""Captions in one JSON value: COCO's captions, Karpathy's splits, LLaVA's conversations, lists, and objects by image."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from seqnets.data.captions.caption_set import Entry
from seqnets.data.captions.text_forms import Found, captioned_object
from seqnets.data.examples.tables import attempts
from seqnets.errors import UserError


def coco(found: Mapping[str, Any], path: str, *, listed: bool = True) -> Found:
    """Yield the captions of COCO's {"images": [...], "annotations": [...]}.

    Args:
        found: the parsed file.
        path: the file's path.
        listed: whether "images" must give every image a name; if not, an image without a name is called by its number.
    """
    images = found.get("images")
    names: dict[Any, str] = {}

    def read_image(place: int, image: Any) -> Iterator[Entry]:
        name = image.get("file_name") if isinstance(image, Mapping) else None
        if not isinstance(image, Mapping) or not isinstance(name, str) or type(image.get("id")) not in (int, str):
            raise UserError(f'image {place:,} of \'{path}\' must be {{"id": ..., "file_name": ...}}')
        names[image["id"]] = name
        yield from ()

    def read(place: int, annotation: Any) -> Iterator[Entry]:
        where = f"annotation {place:,} of '{path}'"
        if not isinstance(annotation, Mapping) or type(annotation.get("image_id")) not in (int, str):
            raise UserError(f'{where} must be {{"image_id": ..., "caption": ...}}')
        if not isinstance(annotation.get("caption"), str):
            raise UserError(f"{where} has no text 'caption'")
        number = annotation["image_id"]
        if number not in names and listed:
            raise UserError(f"{where} belongs to image {number!r}, which 'images' does not list")
        yield Entry(names.get(number, str(number)), annotation["caption"], where, image_id=number)

    wrong = attempts(read_image, enumerate(images if isinstance(images, list) else []))
    yield from (error for error in list(wrong) if listed)
    yield from attempts(read, enumerate(found["annotations"]))


def karpathy(found: Mapping[str, Any], path: str) -> Found:
    """Yield the captions of Karpathy's {"images": [{"filename", "sentences", "split"}]}."""
    return attempts(captioned_object, _places(map(_with_folder, found["images"]), "images", path))


def conversations(found: list[Any], path: str) -> Found:
    """Yield the captions of LLaVA's [{"image", "conversations": [a question, its answer]}]: the answers."""

    def read(entry: Any, where: str) -> Iterator[Entry]:
        turns = entry.get("conversations") if isinstance(entry, Mapping) else None
        turns = [turn for turn in turns if isinstance(turn, Mapping)] if isinstance(turns, list) else []
        answers = [turn.get("value") for turn in turns if turn.get("from") in ("gpt", "assistant")]
        if len(answers) != 1:
            raise UserError(f"{where} has {len(answers)} answers; a caption is the single answer of a conversation")
        yield from captioned_object({"image": entry.get("image"), "caption": answers[0]}, where)

    return attempts(read, _places(found, "entries", path))


def listed(found: list[Any], path: str) -> Found:
    """Yield the captions of a list of {"image", "captions"}."""
    return attempts(captioned_object, _places(found, "entries", path))


def by_name(found: Mapping[str, Any], path: str) -> Found:
    """Yield the captions of {"name.jpg": ["caption", ...]}."""
    named = (({"image": name, "captions": captions}, f"{json.dumps(name)} in '{path}'") for name, captions in found.items())
    return attempts(captioned_object, named)


def _places(found: Any, what: str, path: str) -> Iterator[tuple[Any, str]]:
    return ((image, f"entry {place:,} of {what} in '{path}'") for place, image in enumerate(found))


def _with_folder(image: Any) -> Any:
    """Karpathy's COCO file keeps the folder of an image in a separate field."""
    if not isinstance(image, Mapping) or not all(isinstance(image.get(name), str) for name in ("filepath", "filename")):
        return image
    return {**image, "image": f"{image['filepath']}/{image['filename']}"}
