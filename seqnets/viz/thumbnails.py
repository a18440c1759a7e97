"""Pictures inside of pages: as large as a page needs them."""

import base64
import io

import numpy as np
from PIL import Image

from seqnets.errors import UserError

SIDE, _DRAWING, _QUALITY = 640, 128, 85


def data_url(image: np.ndarray, *, side: int = SIDE) -> str:
    """Return a picture as the address of an `img` element.

    Args:
        image: uint8 `(H, W, 3)`.
        side: a larger picture is shrunk until its longer side has this many pixels. Pictures of up to 128 pixels become PNG,
            which keeps them as they are; others JPEG.

    Raises:
        UserError: it has another shape or type.

    Example:
        >>> data_url(np.zeros((4, 4, 3), np.uint8))[:22], data_url(np.zeros((200, 300, 3), np.uint8))[:23]
        ('data:image/png;base64,', 'data:image/jpeg;base64,')
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise UserError(f"image must be uint8 of shape (H, W, 3), not {image.dtype} of shape {image.shape}")
    picture = Image.fromarray(image)
    picture.thumbnail((side, side))
    kind, file = "PNG" if max(picture.size) <= _DRAWING else "JPEG", io.BytesIO()
    picture.save(file, kind, quality=_QUALITY, optimize=True)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(file.getvalue()).decode()}"
