"""Sequences with a label for every step: CoNLL columns, JSON Lines, and numeric frames."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from seqnets.data.examples.tables import JSON_LINES, json_lines, read_whole, table_kind
from seqnets.decoders import read_arrays
from seqnets.errors import UserError

IGNORED = -1
Labeled = tuple[list[str], list[str]]


class Frames(NamedTuple):
    """Numeric sequences with a label for every frame.

    Args:
        inputs: float32 `(N, T, F)`.
        labels: int32 `(N, T)`; -1 for a frame that is ignored.
        lengths: int32 `(N,)`.
        names: names of the classes.
    """

    inputs: np.ndarray
    labels: np.ndarray
    lengths: np.ndarray
    names: tuple[str, ...]


def read_labeled_sequences(sources: Sequence[str | Path]) -> list[Labeled]:
    """Read sequences of tokens with their labels.

    Args:
        sources: files. JSON Lines (.jsonl, .ndjson) hold objects with the lists `tokens` and `labels`; other files hold a token
            a line, in columns separated by tabs (or white space): the first is the token, the last its label; an empty line
            ends a sequence.

    Returns:
        For each sequence its tokens and its labels.

    Raises:
        UserError: a file cannot be read, or a line lacks a label; the message says where.

    Example:
        >>> read_labeled_sequences(["no/such.conll"])
        Traceback (most recent call last):
        ...
        seqnets.errors.UserError: cannot read 'no/such.conll': No such file or directory; check the path
    """
    found = [sequence for source in sources for sequence in _sequences(Path(source))]
    if not found:
        raise UserError(f"{' '.join(map(str, sources))} holds no sequences; give a token, a tab and its label on every line")
    return found


def read_frames(path: str | Path) -> Frames:
    """Read numeric sequences from an .npz file.

    Args:
        path: with the arrays `inputs` `(N, T, F)`, `labels` `(N, T)` of class numbers, -1 for frames to ignore;
            optionally `lengths` `(N,)`, and `classes` with their names.

    Raises:
        UserError: an array is missing or of the wrong shape or type; the message says which.
    """
    arrays = read_arrays(path)
    for name, rank, kinds in (("inputs", 3, "fiu"), ("labels", 2, "iu")):
        if name not in arrays:
            raise UserError(f"'{path}' has no array {name!r}, only {', '.join(arrays) or 'none'}; it needs inputs and labels")
        if arrays[name].ndim != rank or arrays[name].dtype.kind not in kinds:
            raise UserError(f"{name} in '{path}' is {arrays[name].dtype} of shape {arrays[name].shape}; it must have {rank} axes")
    inputs, labels = arrays["inputs"].astype(np.float32), arrays["labels"].astype(np.int32)
    names = arrays["classes"] if "classes" in arrays else np.arange(labels.max(initial=-1) + 1)
    if inputs.shape[:2] != labels.shape:
        raise UserError(f"inputs {inputs.shape} and labels {labels.shape} in '{path}' differ in sequences or frames")
    lengths = _lengths(arrays, path, labels.shape, least=1)
    _check_values(path, inputs, labels, lengths)
    if labels.max() >= len(names):
        raise UserError(f"labels in '{path}' go up to {labels.max()} but classes names only {len(names)}")
    return Frames(inputs, labels, lengths, tuple(map(str, names)))


def read_inputs(path: str | Path, features: int) -> list[np.ndarray]:
    """Read numeric sequences without labels from an .npz file.

    Args:
        path: with the array `inputs` `(N, T, F)` and optionally `lengths` `(N,)`.
        features: F, the number that the tagger takes.

    Raises:
        UserError: the array is missing or has another number of features, or there is not one length for each sequence.
    """
    arrays = read_arrays(path)
    inputs: Any = arrays["inputs"] if "inputs" in arrays else np.zeros(0)
    if inputs.ndim != 3 or inputs.shape[2] != features or inputs.dtype.kind not in "fiu":
        raise UserError(f"'{path}' needs the array inputs of shape [N, T, {features}]; it has {inputs.shape or 'none'}")
    lengths = _lengths(arrays, path, inputs.shape[:2], least=0)
    _check_finite(path, inputs, lengths)
    return [np.asarray(row[:length], np.float32) for row, length in zip(inputs, lengths, strict=True)]


def _lengths(arrays: Mapping[str, Any], path: str | Path, shape: tuple[int, int], *, least: int) -> np.ndarray:
    """Return the number of valid frames of each of N sequences, int32 `(N,)`."""
    count, longest = shape
    lengths = np.asarray(arrays.get("lengths", np.full(count, longest)))
    if lengths.shape != (count,) or lengths.dtype.kind not in "iu":
        what = f"{lengths.dtype} of shape {lengths.shape}"
        raise UserError(f"lengths in '{path}' is {what}; it must hold {count} whole numbers, one for each sequence")
    if lengths.size and not least <= lengths.min() <= lengths.max() <= longest:
        raise UserError(f"lengths in '{path}' go from {lengths.min()} to {lengths.max()}; they must lie in [{least}, {longest}]")
    return lengths.astype(np.int32)


def _check_values(path: str | Path, inputs: np.ndarray, labels: np.ndarray, lengths: np.ndarray) -> None:
    if not inputs.size or labels.max() < 0:
        raise UserError(f"'{path}' holds no labeled frames")
    _check_finite(path, inputs, lengths)


def _check_finite(path: str | Path, inputs: np.ndarray, lengths: np.ndarray) -> None:
    inside = np.arange(inputs.shape[1]) < lengths[:, None]
    bad = np.flatnonzero(~np.isfinite(np.where(inside[..., None], inputs, 0)).all((1, 2)))
    if len(bad):
        raise UserError(f"inputs in '{path}' hold numbers that are not finite, first in sequence {bad[0]}; leave it out")


def _sequences(path: Path) -> Iterator[Labeled]:
    text = read_whole(path)
    yield from _objects(text, path) if table_kind(path) in JSON_LINES else _columns(text, path)


def _objects(text: str, path: Path) -> Iterator[Labeled]:
    for line in json_lines(text, path):
        if isinstance(line, UserError):
            raise line
        where, found = line
        tokens, labels = (_texts(found.get(name)) for name in ("tokens", "labels"))
        if tokens is None or labels is None or len(tokens) != len(labels):
            raise UserError(f"{where} needs the lists of texts 'tokens' and 'labels', of the same length")
        if tokens:
            yield tokens, labels


def _texts(value: Any) -> list[str] | None:
    return list(value) if isinstance(value, list | str) and all(isinstance(item, str) for item in value) else None


def _columns(text: str, path: Path) -> Iterator[Labeled]:
    tokens, labels = [], []
    for number, line in enumerate(text.split("\n"), start=1):
        columns = line.rstrip("\r").split("\t") if "\t" in line else line.split()
        if len(columns) > 1:
            tokens.append(columns[0])
            labels.append(columns[-1])
        elif columns:
            raise UserError(f"line {number:,} of '{path}' has no label: {line[:40]!r}; write the token, a tab and its label")
        elif tokens:
            yield tokens, labels
            tokens, labels = [], []
    if tokens:
        yield tokens, labels
