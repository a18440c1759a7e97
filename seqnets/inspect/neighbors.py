"""Nearest neighbors among features."""

from typing import Literal, NamedTuple

import numpy as np

from seqnets import settings
from seqnets.errors import UserError

Metric = Literal["l2", "cosine"]
_BLOCK = 256  # queries at once


class Neighbors(NamedTuple):
    """The rows of a collection that are nearest to queries.

    Args:
        rows: [Q, K], the nearest first.
        distances: [Q, K]: Euclidean, or 1 - cosine.
    """

    rows: np.ndarray
    distances: np.ndarray


def nearest_neighbors(
    features: np.ndarray, queries: np.ndarray | None = None, *, top: int = 5, metric: Metric = "l2"
) -> Neighbors:
    """Find the rows of features that are nearest to queries.

    Args:
        features: [N, D]; maps [N, L, D] are averaged over their places.
        queries: [Q, D] or [Q, L, D]; every row of the features itself when None, which is then not its own neighbor.
        top: K, the number of neighbors.
        metric: "l2" or "cosine".

    Raises:
        UserError: the sizes do not match, or there are fewer rows than neighbors.

    Example:
        >>> line = np.array([[0.0], [1.0], [3.0]])
        >>> nearest_neighbors(line, top=1).rows.tolist(), nearest_neighbors(line, np.array([[2.6]]), top=2).rows.tolist()
        ([[1], [0], [1]], [[2, 1]])
    """
    if metric not in ("l2", "cosine"):
        raise UserError(f"metric must be l2 or cosine, not {metric!r}")
    collection = _vectors(features)
    asked = collection if queries is None else _vectors(queries)
    top, most = settings.whole("top", top, settings.POSITIVE), len(collection) - (queries is None)
    if top > most:
        raise UserError(f"there are {most:,} neighbors, not {top:,}; ask for fewer")
    if asked.shape[1] != collection.shape[1]:
        raise UserError(f"a query has {asked.shape[1]:,} numbers and a row {collection.shape[1]:,}; take both from one layer")
    if metric == "cosine":
        collection, asked = _unit(collection), _unit(asked)
    parts = [_nearest(collection, asked[at : at + _BLOCK], at if queries is None else None, top) for at in _blocks(asked)]
    rows = np.concatenate([rows for rows, _ in parts])
    squares = np.concatenate([squares for _, squares in parts])
    return Neighbors(rows, squares / 2 if metric == "cosine" else np.sqrt(squares))


def _nearest(collection: np.ndarray, asked: np.ndarray, own: int | None, top: int) -> tuple[np.ndarray, np.ndarray]:
    squares = (collection**2).sum(1)[None] + (asked**2).sum(1)[:, None] - 2 * asked @ collection.T
    if own is not None:
        squares[np.arange(len(asked)), own + np.arange(len(asked))] = np.inf
    rows = squares.argsort(1, kind="stable")[:, :top]
    exact = ((collection[rows] - asked[:, None]) ** 2).sum(-1)
    return rows, exact


def _blocks(asked: np.ndarray) -> range:
    return range(0, len(asked), _BLOCK)


def _vectors(features: np.ndarray) -> np.ndarray:
    x = np.asarray(features)
    if x.ndim not in (2, 3, 4) or not len(x):
        raise UserError(f"features have shape {x.shape}; give [N, D], or maps [N, L, D]")
    return x.astype(np.float64).mean(tuple(range(1, x.ndim - 1))) if x.ndim > 2 else x.astype(np.float64)


def _unit(x: np.ndarray) -> np.ndarray:
    return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), np.finfo(np.float64).tiny)
