"""From a saliency map to the thing itself: seeds by thresholds, grown over the map, or by GrabCut over the colors."""

from typing import Any, Literal, NamedTuple

import numpy as np

from seqnets.errors import UserError

_ROUNDS = 5
_SMOOTH = 25  # the side of a picture over the standard deviation of the blur


class Segmentation(NamedTuple):
    """The thing in a picture.

    Args:
        mask: [H, W] of bool.
        sure: [H, W] of int8: 1 where the seeds are, -1 where the ground is sure, 0 between.
    """

    mask: np.ndarray
    sure: np.ndarray


def segmentation(
    picture: np.ndarray,
    saliency_map: np.ndarray,
    *,
    foreground: float = 0.95,
    background: float = 0.3,
    grow: float = 0.8,
    method: Literal["thresholds", "grabcut"] = "thresholds",
) -> Segmentation:
    """Cut out the thing that a saliency map is about.

    The map is smoothed. Pixels above one quantile of it are seeds of the thing, those below another are ground. With
    "thresholds" the thing is every connected region above the quantile `grow` that holds a seed, without holes. With "grabcut"
    OpenCV divides the pixels by their colors, beginning with the seeds and the ground; this is better where thing and ground
    have other colors, and can fail outright where they do not.

    Args:
        picture: uint8 [H, W, 3], RGB.
        saliency_map: [H, W], not negative.
        foreground: quantile above which pixels are seeds.
        background: quantile below which they are ground.
        grow: quantile between the two, down to which the thing grows around its seeds.
        method: "thresholds" or "grabcut" (extra `[grabcut]`).

    Raises:
        UserError: the sizes differ, the quantiles are out of order, or OpenCV is missing.

    Example:
        >>> bright = np.zeros((20, 20))
        >>> bright[5:10, 5:10] = 1
        >>> found = segmentation(np.zeros((20, 20, 3), np.uint8), bright, foreground=0.97, grow=0.9)
        >>> found.mask[7, 7], found.mask[15, 15], found.sure[19, 19].item()
        (np.True_, np.False_, -1)

    References:
        Simonyan, Vedaldi and Zisserman, "Deep inside convolutional networks", 2014.
        Rother, Kolmogorov and Blake, "GrabCut", 2004.
    """
    from scipy.ndimage import binary_fill_holes, gaussian_filter, label

    values = np.asarray(saliency_map, np.float64)
    if picture.shape != (*values.shape, 3):
        raise UserError(f"the picture is {picture.shape} and the map {values.shape}; give [H, W, 3] and [H, W] of one size")
    if not 0 <= background <= grow <= foreground <= 1:
        raise UserError(f"the quantiles must rise from 0 to 1, not {background}, {grow}, {foreground} (ground, growth, seeds)")
    smooth = gaussian_filter(values, max(values.shape) / _SMOOTH)
    low, middle, high = np.quantile(smooth, (background, grow, foreground))
    sure = np.where(smooth >= high, 1, np.where(smooth <= low, -1, 0)).astype(np.int8)
    if method == "grabcut":
        return Segmentation(grabcut(picture, sure, smooth >= middle), sure)
    if method != "thresholds":
        raise UserError(f"method must be thresholds or grabcut, not {method!r}")
    regions: Any = np.empty(smooth.shape, np.int32)
    label(smooth >= middle, output=regions)
    grown = np.isin(regions, np.unique(regions[sure > 0])) & (regions > 0)
    return Segmentation(np.asarray(binary_fill_holes(grown)), sure)


def grabcut(picture: np.ndarray, sure: np.ndarray | tuple[int, int, int, int], likely: np.ndarray | None = None) -> np.ndarray:
    """Divide a picture into thing and ground by OpenCV's GrabCut.

    Args:
        picture: uint8 [H, W, 3], RGB.
        sure: [H, W]: 1 for the thing, -1 for the ground, 0 to be decided; or a rectangle (left, top, width, height) outside
            of which there is only ground.
        likely: [H, W] of bool: where the thing is likely, among the pixels to be decided.

    Returns:
        [H, W] of bool.

    Raises:
        UserError: OpenCV is not installed.
    """
    cv2 = _opencv()
    cv2.setRNGSeed(0)
    mask = np.zeros(picture.shape[:2], np.uint8)
    models = np.zeros((1, 65)), np.zeros((1, 65))
    bgr = np.ascontiguousarray(picture[..., ::-1])
    if isinstance(sure, tuple):
        cv2.grabCut(bgr, mask, sure, *models, _ROUNDS, cv2.GC_INIT_WITH_RECT)
    else:
        undecided = np.where(likely, cv2.GC_PR_FGD, cv2.GC_PR_BGD) if likely is not None else cv2.GC_PR_BGD
        mask[:] = np.where(sure > 0, cv2.GC_FGD, np.where(sure < 0, cv2.GC_BGD, undecided))
        cv2.grabCut(bgr, mask, None, *models, _ROUNDS, cv2.GC_INIT_WITH_MASK)
    return (mask == cv2.GC_FGD) | (mask == cv2.GC_PR_FGD)


def _opencv() -> Any:
    try:
        import cv2  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise UserError("GrabCut needs OpenCV; install it with `pip install 'seqnets[grabcut]'`, or take thresholds") from None
    return cv2
