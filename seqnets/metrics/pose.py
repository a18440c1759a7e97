"""Metrics of the joints of bodies."""

from collections.abc import Sequence

import numpy as np


def right_joints(
    found: np.ndarray, truth: np.ndarray, is_known: np.ndarray, lengths: np.ndarray, share: float = 0.2
) -> np.ndarray:
    r"""Return the share of right joints (PCK): those whose distance from the truth is at most a share of a length of the body.

    Args:
        found: `(N, K, 2)` x and y in pixels.
        truth: `(N, K, 2)`.
        is_known: `(N, K)` of bool; the other joints do not count.
        lengths: `(N,)` pixels, such as the torso's or the head's.
        share: of the length.

    Returns:
        `(K,)` in [0, 1]; NaN for a joint that is never known. Their `np.nanmean` is the mean PCK.

    Example:
        >>> truth = np.array([[[0.0, 0.0], [10.0, 0.0]]])
        >>> right_joints(truth + [[[1.0, 0.0], [3.0, 0.0]]], truth, np.ones((1, 2), bool), np.array([10.0])).tolist()
        [1.0, 0.0]

    References:
        Yang and Ramanan, "Articulated human detection with flexible mixtures of parts", 2013.
    """
    near = np.linalg.norm(found - truth, axis=-1) <= share * np.asarray(lengths)[:, None]
    return _shares(near & is_known, is_known)


def right_limbs(
    found: np.ndarray,
    truth: np.ndarray,
    is_known: np.ndarray,
    limbs: Sequence[tuple[int, int]],
    share: float = 0.5,
) -> np.ndarray:
    """Return the share of right limbs (strict PCP): both ends lie within a share of the limb's length of the truth.

    Args:
        found: `(N, K, 2)` x and y in pixels.
        truth: `(N, K, 2)`.
        is_known: `(N, K)` of bool; a limb counts where both of its ends are known.
        limbs: L pairs of joints.
        share: of the limb's length.

    Returns:
        `(L,)` in [0, 1]; NaN for a limb that is never known.

    Example:
        >>> truth = np.array([[[0.0, 0.0], [10.0, 0.0]]])
        >>> right_limbs(truth + 3, truth, np.ones((1, 2), bool), [(0, 1)]).tolist()
        [1.0]

    References:
        Ferrari, Marin-Jimenez and Zisserman, "Progressive search space reduction for human pose estimation", 2008.
    """
    ends = np.asarray(limbs)
    length = np.linalg.norm(truth[:, ends[:, 0]] - truth[:, ends[:, 1]], axis=-1)
    distance = np.linalg.norm(found - truth, axis=-1)
    known = np.logical_and.reduce(is_known[:, ends], -1)
    return _shares((distance[:, ends] <= share * length[..., None]).all(-1) & known, known)


def _shares(right: np.ndarray, known: np.ndarray) -> np.ndarray:
    count = known.sum(0)
    return np.divide(right.sum(0), count, out=np.full(len(count), np.nan), where=count > 0)
