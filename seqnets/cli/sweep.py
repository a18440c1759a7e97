"""`seqnets train ... --sweep FILE`: a run for each combination of settings, and one table at the end."""

import itertools
import re
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from seqnets import settings
from seqnets.cli import compare, runtime
from seqnets.cli.restarts import train_aside
from seqnets.errors import UserError

_STOPPED = (130, 143)
_COMBINE = "combine"


class Point(NamedTuple):
    """One run of a sweep: its name, and the given settings as TOML."""

    name: str
    text: str


def points(path: str, given_with: Callable[[Mapping[str, Any]], Mapping[str, Any]]) -> list[Point]:
    """Return the runs that a sweep file describes.

    The file has the sections of a configuration, with a list of values for each setting. `combine = "product"`, the default,
    takes every combination; "zip" takes the first values of all lists, then the second ones, and so on.

    Args:
        path: the TOML file.
        given_with: returns all given settings of a run, for those that the file gives it.

    Raises:
        UserError: the file cannot be read, a value is not a list, or a setting is wrong.
    """
    content = settings.read(path)
    combine = settings.choice(f"{path}: {_COMBINE}", content.pop(_COMBINE, "product"), ("product", "zip"))
    lists = _lists(content, path)
    if combine == "zip" and len({len(values) for values in lists.values()}) > 1:
        lengths = ", ".join(f"{name} has {len(values)}" for name, values in lists.items())
        raise UserError(f"{path}: lists that are taken pairwise must have the same length; {lengths}")
    rows = itertools.product(*lists.values()) if combine == "product" else zip(*lists.values())
    found = [Point(_name(list(lists), row), _toml(given_with(_nested(zip(lists, row))))) for row in rows]
    twice = [name for name, count in Counter(point.name for point in found).items() if count > 1]
    if twice:
        raise UserError(f"{path}: two runs would be called '{twice[0]}'; list each value once")
    return found


def _toml(values: Mapping[str, Any]) -> str:
    import tomli_w

    def plain(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {name: plain(inner) for name, inner in value.items()}
        return "none" if value is None else value

    return tomli_w.dumps(plain(values))


def _lists(content: Mapping[str, Any], path: str, prefix: str = "") -> dict[str, list[Any]]:
    lists: dict[str, list[Any]] = {}
    for name, value in content.items():
        if isinstance(value, Mapping):
            lists |= _lists(value, path, f"{prefix}{name}.")
        elif isinstance(value, list) and value:
            lists[prefix + name] = value
        else:
            raise UserError(f"{path}: {prefix}{name} must be a list of values to try, such as [{value!r}]")
    if not (lists or prefix):
        raise UserError(f"{path}: there is nothing to vary; give a list of values for a setting, such as model.layers = [1, 2]")
    return lists


def _name(names: Sequence[str], row: Sequence[Any]) -> str:
    last = [name.rpartition(".")[2] for name in names]
    short = [end if last.count(end) == 1 else name for name, end in zip(names, last)]
    parts = (f"{name}-{','.join(map(str, value)) if isinstance(value, list) else value}" for name, value in zip(short, row))
    return "_".join(re.sub(r"[^\w.,+-]", "-", part.replace("_", "-")) for part in parts)[:150]


def _nested(values: Any) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for name, value in values:
        *sections, last = name.split(".")
        place = nested
        for section in sections:
            place = place.setdefault(section, {})
        place[last] = value
    return nested


def sweep(found: Sequence[Point], directory: str, task: str, options: Sequence[str]) -> int:
    """Train the runs one after the other, each in a folder and a process of its own, and print the table of all.

    A run that is complete is skipped, one that was interrupted continues, and one that fails does not stop the others.

    Args:
        found: the runs.
        directory: where their folders are made.
        task: the task.
        options: arguments of `seqnets train` for each of them.

    Returns:
        The exit code: that of the first run that failed, or of the signal that stopped the sweep.
    """
    from seqnets.files import replace_file

    Path(directory).mkdir(parents=True, exist_ok=True)
    failures: dict[str, int] = {}
    for number, point in enumerate(found, 1):
        folder, file = Path(directory) / point.name, Path(directory) / f"{point.name}.toml"
        _say(f"run {number} of {len(found)}: {folder}")
        if _is_complete(folder) and file.is_file() and file.read_text("utf-8") == point.text:
            _say("it is complete")
            continue
        replace_file(file, point.text)
        code = train_aside([task, "--config", str(file), "--out", str(folder), *options])
        if code in _STOPPED:
            _say("the sweep is stopped; the same command continues")
            return code
        if code:
            failures[str(folder)] = code
    print("\n".join(compare.table(compare.read_all([str(Path(directory) / point.name) for point in found]))))
    for folder, code in failures.items():
        _say(f"'{folder}' failed with exit code {code}; its message is above")
    return next(iter(failures.values()), 0)


def _is_complete(folder: Path) -> bool:
    runtime.start()
    from seqnets.train.results import read_results

    return read_results(str(folder)).state == "complete"


def _say(sentence: str) -> None:
    print(f"sweep: {sentence}", file=sys.stderr, flush=True)
