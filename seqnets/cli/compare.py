"""`seqnets compare RUN ...`: what differs in the settings of runs, and their results, as one table."""

import json
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqnets.cli import runtime
from seqnets.cli.parser import Parser
from seqnets.cli.verbs import VERBS
from seqnets.errors import UserError
from seqnets.tasks import TASKS
from seqnets.viz.figure_file import check_figure, write_figure

if TYPE_CHECKING:
    from seqnets.train.results import Results

_EPILOG = """\
A run may be complete, stopped, running or unreadable, and runs of different tasks may be mixed. The best validation figure is
marked with * where all runs have the same one. The time is that of training, without evaluation and saving. The exit code is
2 if no run can be read."""
_WIDEST = 32
_MISSING = "-"


def main(argv: Sequence[str]) -> int:
    """Run the arguments after `seqnets compare`; see `seqnets compare --help`."""
    parser = Parser("seqnets compare", VERBS["compare"].summary, epilog=_EPILOG)
    parser.add_argument("runs", nargs="+", metavar="RUN", help="run folders, or names of runs")
    parser.add_argument("--json", action="store_true", help="write a JSON list: settings that differ, and results")
    parser.add_argument("--figure", metavar="FILE", help="also draw the curves (.png, .svg, .pdf, .jpg or .webp)")
    found = parser.read(argv)
    check_figure(found.figure)
    runtime.start()
    results = read_all(found.runs)
    if all(result.state == "unreadable" for result in results):
        raise UserError(results[0].problem if len(results) == 1 else f"no run can be read: {results[0].problem}")
    if found.json:
        print(json.dumps([_as_json(result, differing(results)) for result in results]))
    else:
        print("\n".join(table(results)))
    if found.figure:
        _draw(results, Path(found.figure))
    return 0


def read_all(runs: Sequence[str]) -> "list[Results]":
    """Return the results of some runs."""
    from seqnets.train.results import read_results

    return [read_results(run, _objective) for run in runs]


def _objective(task: str) -> tuple[str, bool]:
    """Return the objective of a task, and whether to maximize it, for runs of versions that did not record them."""
    entry = TASKS.get(task)
    kind = getattr(import_module(f"seqnets.tasks.{entry.folder}.task"), entry.task) if entry else None
    name = getattr(kind, "objective", "")
    return (name, bool(getattr(kind, "maximize", False))) if isinstance(name, str) else ("", False)


def differing(results: "Sequence[Results]") -> list[str]:
    """Return the names of the settings that all readable runs have, and in which they differ."""
    readable = [result.settings for result in results if result.state != "unreadable"]
    first, *others = readable or [{}]
    return [name for name in first if all(name in one for one in others) and any(one[name] != first[name] for one in others)]


def table(results: "Sequence[Results]") -> list[str]:
    """Return the table as lines, and a line for each run that cannot be read.

    There is a row per run, or a column per run if more settings differ than there are runs.
    """
    settings = differing(results)
    objectives = {result.objective for result in results if result.state != "unreadable"}
    best, title = _best_of(results), f"best {next(iter(objectives))}" if len(objectives) == 1 else "best"
    rows = [["run", *settings, "state", title, "step", "steps", "time", "parameters"]]
    rows += [_row(result, settings, "*" if result is best else "", named=len(objectives) > 1) for result in results]
    if len(settings) > len(results):
        rows = [list(column) for column in zip(*rows)]
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]
    return [*lines, *(f"{result.run}: {result.problem}" for result in results if result.problem)]


def _row(result: "Results", settings: Sequence[str], mark: str, *, named: bool) -> list[str]:
    if result.state == "unreadable":
        return [result.run, *(_MISSING for _ in settings), result.state, *(_MISSING,) * 5]
    best = _MISSING if result.best is None else f"{f'{result.objective} ' if named else ''}{result.best:.4f}{mark}"
    return [
        result.run,
        *(_shown(result.settings.get(name, _MISSING)) for name in settings),
        result.state,
        best,
        _MISSING if result.best_step is None else f"{result.best_step:,}",
        f"{result.steps:,}" if result.of_steps in (0, result.steps) else f"{result.steps:,} of {result.of_steps:,}",
        _duration(result.seconds) if result.seconds else _MISSING,
        _MISSING if result.parameters is None else f"{result.parameters:,}",
    ]


def _best_of(results: "Sequence[Results]") -> Any:
    """Return the best of several runs with the same objective on the same data; None where they cannot be compared."""
    scored = [result for result in results if result.best is not None]
    same_data = all("." in name for name in differing(results))  # sources of data are in no section
    if len(scored) < 2 or len({(result.task, result.objective) for result in scored}) > 1 or not same_data:
        return None
    return (max if scored[0].maximize else min)(scored, key=lambda result: result.best or 0.0)


def _shown(value: Any) -> str:
    text = ",".join(map(str, value)) if isinstance(value, list) else str(value).lower() if isinstance(value, bool) else str(value)
    text = repr(value) if isinstance(value, str) and (not value or value != value.strip() or "\n" in value) else text
    return text if len(text) <= _WIDEST else f"...{text[-_WIDEST + 3 :]}"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def _as_json(result: "Results", settings: Sequence[str]) -> dict[str, Any]:
    names = ("run", "task", "state", "problem", "objective", "maximize", "best", "best_step", "steps", "of_steps", "seconds")
    figures = {name: getattr(result, name) for name in (*names, "parameters")}
    return {**figures, "settings": {name: result.settings[name] for name in settings if name in result.settings}}


def _draw(results: "Sequence[Results]", path: Path) -> None:
    from seqnets.viz.lines import line_figure

    readable = [result for result in results if result.state != "unreadable"]
    # a run that is evaluated only at its end has no curve of validation figures
    name = "validation" if any(len(result.curve("validation")) > 1 for result in readable) else "loss"
    objectives = {result.objective for result in readable}
    title = f"validation {objectives.pop()}" if name == "validation" and len(objectives) == 1 else f"{name} figure"
    curves = {result.run: result.curve(name) for result in readable}
    write_figure(line_figure(curves, x="step", y="training loss" if name == "loss" else title), path)
    print(f"seqnets: the figure is in '{path}'", file=sys.stderr)
