"""Lists both sides of a mismatch between a weight file and a network completely, with repetitions folded."""

import re
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import NamedTuple

Shapes = Mapping[str, tuple[int, ...]]
_NUMBER = re.compile(r"(\{\d+\.\.\d+\}|\d+)")


class _Line(NamedTuple):
    label: str
    text: str


def differences(file: Shapes, network: Shapes, ours: Mapping[str, str]) -> list[str]:
    """List the arrays that differ in shape, those only in the network, and those only in the file.

    Args:
        file: the arrays of the file: name to shape.
        network: the arrays the network needs, by the file's names and in its layout.
        ours: the file's names to ours.

    Returns:
        Lines; the arrays of a layer share a line, and so do layers whose names differ only by consecutive numbers.

    Example:
        >>> network, ours = {"fc.weight": (4,), "fc.bias": (4,)}, {"fc.weight": "logits.kernel", "fc.bias": "logits.bias"}
        >>> for line in differences({"fc.weight": (2,), "z.1.w": (3,), "z.2.w": (3,)}, network, ours):
        ...     print(line)
        of another shape: fc.weight (our logits.kernel): (2,) in the file, (4,) in the network
        only in the network: fc (our logits): bias (4,)
        only in the file: z.{1..2}: w (3,)
    """
    clashing = [name for name in sorted(network, key=_counted) if name in file and tuple(file[name]) != tuple(network[name])]
    missing = {name: shape for name, shape in network.items() if name not in file}
    extra = {name: shape for name, shape in file.items() if name not in network}
    clashes = [
        _Line(_label(name, ours[name]), f"{tuple(file[name])} in the file, {tuple(network[name])} in the network")
        for name in clashing
    ]
    return [
        *_titled("of another shape", clashes),
        *_titled("only in the network", _layers(missing, ours)),
        *_titled("only in the file", _layers(extra, {})),
    ]


def _titled(title: str, lines: list[_Line]) -> list[str]:
    return [f"{title}: {line.label}: {line.text}" for line in _folded(lines)]


def _label(theirs: str, ours: str) -> str:
    return theirs if ours in ("", theirs) else f"{theirs} (our {ours})"


def _layers(shapes: Shapes, ours: Mapping[str, str]) -> list[_Line]:
    layers: dict[str, list[str]] = {}
    for name, shape in sorted(shapes.items(), key=lambda item: _counted(item[0])):
        path, leaf = _split(name)
        label = _label(path, _split(ours.get(name, ""))[0])
        layers.setdefault(label, []).append(f"{leaf} {tuple(shape)}")
    return [_Line(label, ", ".join(leaves)) for label, leaves in layers.items()]


def _split(name: str) -> tuple[str, str]:
    *path, leaf = re.split(r"(?:[./])(?=[^./]*$)", name)
    return "".join(path), leaf


def _counted(name: str) -> list[tuple[int, str]]:
    # a key that sorts 9 before 10
    return [(int(part), "") if part.isdigit() else (-1, part) for part in _NUMBER.split(name)]


def _folded(lines: list[_Line]) -> list[_Line]:
    while len(shorter := _fold_once(lines)) < len(lines):
        lines = shorter
    return lines


def _fold_once(lines: list[_Line]) -> list[_Line]:
    alike: dict[tuple[str, str], list[_Line]] = {}
    for line in lines:
        alike.setdefault((_NUMBER.sub("#", line.label), line.text), []).append(line)
    return [_Line(_spanned(run), text) for (_, text), group in alike.items() for run in _runs(group)]


def _runs(group: list[_Line]) -> list[list[str]]:
    runs: list[list[str]] = []
    for line in group:
        run = runs[-1] if runs else []
        if run and _steps([*run[-2:], line.label]):
            run.append(line.label)
        else:
            runs.append([line.label])
    return runs


def _steps(labels: Iterable[str]) -> bool:
    # the same numbers in each label are one more than in the previous label, and all else is equal
    rows = [_NUMBER.split(label) for label in labels]
    steps = [tuple(_step(a, b) for a, b in zip(before, after)) for before, after in pairwise(rows)]
    return len(set(steps)) == 1 and set(steps[0]) == {0, 1}


def _step(before: str, after: str) -> int:
    if before == after:
        return 0
    return int(after) - int(before) if before.isdigit() and after.isdigit() else -1


def _spanned(labels: list[str]) -> str:
    first, last = _NUMBER.split(labels[0]), _NUMBER.split(labels[-1])
    return "".join(a if a == b else f"{{{a}..{b}}}" for a, b in zip(first, last))
