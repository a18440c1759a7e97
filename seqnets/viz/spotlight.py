"""Highlights attention in an image: attended regions keep their light and color, the rest fades."""

from typing import Any

import numpy as np
from PIL import Image

_GRAY = np.array([0.299, 0.587, 0.114], np.float32)


def smooth_map(weights: Any, height: int, width: int) -> np.ndarray:
    """Enlarge an attention map smoothly, with its largest value scaled to 1.

    Only the largest value sets the scale, so uniform attention lights everything.

    Args:
        weights: `(rows, columns)`, not negative.
        height: height of the result.
        width: width of the result.

    Returns:
        float32 `(height, width)` in [0, 1].

    Example:
        >>> smooth_map(np.full((2, 2), 0.25), 4, 4).min().item()
        1.0
    """
    weights = np.asarray(weights, np.float32)
    large = np.asarray(Image.fromarray(weights).resize((width, height), Image.Resampling.BICUBIC))
    return np.clip(large / max(float(weights.max()), 1e-12), 0.0, 1.0)


def spotlight(image: np.ndarray, weights: Any, *, darkness: float = 0.65) -> np.ndarray:
    """Return an image that fades to dim gray where a model did not look.

    Args:
        image: uint8 `(H, W, 3)`.
        weights: `(rows, columns)`, the attention.
        darkness: how dark the rest becomes: 0 unchanged, 1 black.

    Returns:
        uint8 `(H, W, 3)`.

    Example:
        >>> lit = spotlight(np.full((2, 2, 3), 200, np.uint8), np.array([[1.0, 0.0]]), darkness=0.5)
        >>> lit[0, 0].tolist(), lit[0, 1].tolist()
        ([200, 200, 200], [100, 100, 100])
    """
    light = smooth_map(weights, *image.shape[:2])[..., None]
    pixels = image.astype(np.float32)
    dim = (pixels @ _GRAY)[..., None] * (1.0 - darkness)
    return np.round(light * pixels + (1.0 - light) * dim).astype(np.uint8)
