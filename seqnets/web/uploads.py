"""Pictures that the page sends to the server: checked before they are decoded."""

from collections.abc import Mapping
from typing import Any

from PIL import Image

from seqnets import settings
from seqnets.data.images.files import open_image
from seqnets.errors import UserError
from seqnets.settings.records import Record

MOST_BYTES = 16 << 20
MOST_PIXELS = 40_000_000


def picture(body: bytes) -> Image.Image:
    """Return the picture in a request.

    Args:
        body: the bytes of an image file.

    Raises:
        UserError: the body is empty, is no image, is damaged, or has more than 40 million pixels, which its header says.

    Example:
        >>> picture(b"")
        Traceback (most recent call last):
        ...
        seqnets.errors.UserError: there is no picture in the request; send the bytes of an image file
    """
    if not body:
        raise UserError("there is no picture in the request; send the bytes of an image file")
    return open_image(body, max_pixels=MOST_PIXELS, name="the picture")


def wanted(default: Record, given: Any, where: str = "the request") -> Record:
    """Return settings that the page asks for.

    Raises:
        UserError: they are no JSON object, or a setting is unknown, of another type, or out of its range.
    """
    if not isinstance(given, Mapping):
        raise UserError("settings must be a JSON object")
    return settings.replaced(default, {name: value for name, value in given.items() if value is not None}, where)
