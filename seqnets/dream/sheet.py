"""Pictures as files: PNG of one picture, or of several side by side."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

from seqnets.files import replace_file


def write_picture(path: Path, picture: np.ndarray) -> None:
    """Write a picture [H, W, C] of uint8 as PNG, replacing the file at once."""
    file = io.BytesIO()
    Image.fromarray(picture[..., 0] if picture.shape[-1] == 1 else picture).save(file, "PNG")
    replace_file(path, file.getvalue())


def side_by_side(pictures: np.ndarray, columns: int = 0, gap: int = 2) -> np.ndarray:
    """Return pictures [B, H, W, C] in one, on white, row by row.

    Example:
        >>> side_by_side(np.zeros((3, 4, 5, 1), np.uint8), columns=2).shape
        (10, 12, 1)
    """
    count, height, width, channels = pictures.shape
    columns = columns or min(count, 8)
    rows = -(-count // columns)
    sheet = np.full((rows * (height + gap) - gap, columns * (width + gap) - gap, channels), 255, np.uint8)
    for number, picture in enumerate(pictures):
        top, left = number // columns * (height + gap), number % columns * (width + gap)
        sheet[top : top + height, left : left + width] = picture
    return sheet
