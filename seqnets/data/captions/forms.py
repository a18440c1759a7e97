"""The forms of captions files: a table of their names, tests and readers."""

import json
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from seqnets.data.captions import json_forms, text_forms
from seqnets.data.captions.text_forms import CAPTION, IMAGE, Found
from seqnets.data.examples.tables import places_of, read_whole
from seqnets.decoders import json_value
from seqnets.errors import UserError


class Content:
    """The content of a captions file, read and parsed on first use.

    Example:
        >>> Content("no/such").is_folder
        False
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.is_folder = Path(path).is_dir()

    @cached_property
    def text(self) -> str:
        """The text of the file."""
        return "" if self.is_folder else read_whole(self.path)

    @property
    def first(self) -> str:
        """Its first line that is not blank."""
        return self.text.lstrip().split("\n", 1)[0].rstrip("\r")

    @cached_property
    def json(self) -> Any:
        """The value of a JSON file; None if the file as a whole is not JSON.

        Raises:
            UserError: it begins like JSON but is broken.
        """
        if self.first[:1] not in ("{", "["):
            return None
        try:
            return json_value(self.text, self.path)
        except UserError:
            if self.is_lines:
                return None
            raise

    @cached_property
    def is_lines(self) -> bool:
        """Whether the first line alone is a JSON object."""
        try:
            return self.first[:1] == "{" and isinstance(json.loads(self.first), dict)
        except (ValueError, RecursionError):
            return False


class Form(NamedTuple):
    """A form of captions files.

    Attributes:
        name: the name that help and errors use.
        fits: whether a file has this form; forms are tried in order.
        read: yields its captions, and an error in place of each unusable one.
    """

    name: str
    fits: Callable[[Content], bool]
    read: Callable[[Content], Found]


def _object(content: Content, name: str, kind: type) -> bool:
    return isinstance(content.json, Mapping) and isinstance(content.json.get(name), kind)


def _is_one_object(content: Content) -> bool:
    names = list(content.json) if isinstance(content.json, Mapping) else []
    return None not in places_of(list(map(str, names)), [IMAGE, CAPTION])


def _is_by_name(content: Content) -> bool:
    found = content.json
    return isinstance(found, Mapping) and bool(found) and all(isinstance(captions, list | str) for captions in found.values())


def _has_conversations(content: Content) -> bool:
    return isinstance(content.json, list) and any(isinstance(each, Mapping) and "conversations" in each for each in content.json)


FORMS = (
    Form("COCO's captions JSON", lambda c: _object(c, "annotations", list), lambda c: json_forms.coco(c.json, c.path)),
    Form("Karpathy's JSON", lambda c: _object(c, "images", list), lambda c: json_forms.karpathy(c.json, c.path)),
    Form("LLaVA's conversations", _has_conversations, lambda c: json_forms.conversations(c.json, c.path)),
    Form(
        'a JSON list of {"image", "captions"}',
        lambda c: isinstance(c.json, list),
        lambda c: json_forms.listed(c.json, c.path),
    ),
    Form(
        "JSON Lines",
        lambda c: (c.json is None and c.is_lines) or _is_one_object(c),
        lambda c: text_forms.json_lines(c.text if c.json is None else json.dumps(c.json), c.path),
    ),
    Form('JSON {"name.jpg": ["caption", ...]}', _is_by_name, lambda c: json_forms.by_name(c.json, c.path)),
    Form(
        "Flickr8k's token file",
        lambda c: text_forms.is_token_file(c.first),
        lambda c: text_forms.token_file(c.text, c.path),
    ),
    Form("a folder with a .txt for each picture", lambda c: c.is_folder, lambda c: text_forms.text_files(c.path)),
    Form(
        "a table (CSV, TSV, ...) of images and captions",
        lambda c: c.json is None,
        lambda c: text_forms.table(c.text, c.path),
    ),
)
"""All forms, in the order in which they are tried."""


def form_names() -> str:
    """Return the names of all forms, for help and errors.

    Example:
        >>> "COCO's captions JSON" in form_names()
        True
    """
    return ", ".join(form.name for form in FORMS)


def read_form(path: str) -> Found:
    """Yield the captions of a file or folder of any form, and an error in place of each unusable one.

    Raises:
        UserError: it cannot be read, or its form is unknown.
    """
    content = Content(path)
    form = next((form for form in FORMS if form.fits(content)), None)
    if form is None:
        raise UserError(f"'{path}' is JSON, but its form is unknown; give {form_names()}")
    return form.read(content)
