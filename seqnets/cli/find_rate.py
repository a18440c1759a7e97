"""`seqnets find-rate [TASK] ...`: the learning-rate range test of a training command."""

import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from seqnets.cli import train
from seqnets.cli.parser import Parser
from seqnets.viz.figure_file import check_figure, write_figure

_ROWS = 20
_OPTIONS = {
    "low": (float, "X", "the first learning rate [1e-6]"),
    "high": (float, "X", "the last learning rate [10]"),
    "trials": (int, "N", "steps from the first rate to the last [100]"),
    "smoothing": (float, "X", "how much of the mean loss so far stays in the mean at each step; 0 to 1 [0.8]"),
}
_EPILOG = """\
Each step has a higher learning rate than the one before. The loss first stays, then falls, then rises; the test ends when it
is four times its best. Two rates are suggested: where the loss fell fastest, and a tenth of where it was lowest. All other
settings are those of `seqnets train` with the same arguments. Nothing is written but the figure."""


def main(argv: Sequence[str]) -> int:
    """Run the arguments after `seqnets find-rate`; see `seqnets find-rate --help`."""
    return train.main(argv, train.Instead("find-rate", _EPILOG, _add_options, _check, _find))


def _add_options(parser: Parser) -> None:
    group = parser.add_argument_group("the test")
    for name, (kind, metavar, words) in _OPTIONS.items():
        parser.add_setting(name, kind, words, metavar=metavar, container=group)
    group.add_argument("--figure", metavar="FILE", help="also draw the losses (.png, .svg, .pdf, .jpg or .webp)")
    group.add_argument("--json", action="store_true", help="write one JSON object: suggestions and trials")


def _check(found: Any) -> None:
    check_figure(found.figure)


def _find(task: Any, config: Any, found: Any) -> int:
    from seqnets.train.rate_trials import rate_range, suggested_rates

    options = {name: getattr(found, name) for name in _OPTIONS if hasattr(found, name)}
    trials = list(rate_range(task, config, **options))
    suggestion = suggested_rates(trials)
    if found.json:
        figures = {"steepest": None, "tenth_of_lowest": None} if suggestion is None else {
            "steepest": suggestion.steepest, "tenth_of_lowest": suggestion.tenth}  # fmt: skip
        print(json.dumps({**figures, "trials": [_finite(trial._asdict()) for trial in trials]}))
    else:
        _print_table(trials, suggestion, config)
    if found.figure:
        _draw(trials, suggestion, Path(found.figure))
    return 0


def _finite(trial: dict[str, float]) -> dict[str, float | None]:
    return {name: value if math.isfinite(value) else None for name, value in trial.items()}


def _print_table(trials: Sequence[Any], suggestion: Any, config: Any) -> None:
    from seqnets.viz.lines import sparkline

    shown = [trials[round(i * (len(trials) - 1) / max(1, _ROWS - 1))] for i in range(_ROWS)] if len(trials) > _ROWS else trials
    print("learning rate       loss   smoothed")
    for trial in shown:
        print(f"{trial.rate:13.2e} {trial.loss:10.4g} {trial.smoothed:10.4g}")
    ceiling = _ceiling(trials)
    print(f"smoothed loss: {sparkline([min(trial.smoothed, ceiling) for trial in shown])}")
    if suggestion is None:
        print("no learning rate lowered the loss; try more --trials, a higher --high, or another --train.optimizer")
        return
    if trials[-1].smoothed == min(trial.smoothed for trial in trials):
        print("the loss was still falling at the last rate, so the suggestions are too low or chance: raise --high or --trials")
    rate, tenth = f"{suggestion.steepest:.3g}", f"{suggestion.tenth:.3g}"
    print(f"the loss fell fastest at {rate}; a tenth of the rate with the lowest loss is {tenth}")
    print(f"the learning rate of these settings is {config.learning_rate:g}; to change it: --train.learning-rate {rate}")


def _ceiling(trials: Sequence[Any]) -> float:
    """Return a loss above which curves are cut: the end of the test would flatten everything else."""
    finite = [trial.smoothed for trial in trials if math.isfinite(trial.smoothed)] or [0.0]
    return finite[0] + max(0.5 * (finite[0] - min(finite)), 1e-9)


def _draw(trials: Sequence[Any], suggestion: Any, path: Path) -> None:
    from seqnets.viz.lines import line_figure

    ceiling = _ceiling(trials)
    losses = {name: [(trial.rate, getattr(trial, name)) for trial in trials] for name in ("loss", "smoothed")}
    curves = {name: [point for point in points if point[1] <= ceiling] for name, points in losses.items()}
    marks = {} if suggestion is None else {"steepest": suggestion.steepest, "lowest / 10": suggestion.tenth}
    figure = line_figure(curves, x="learning rate", y="loss", logarithmic=True, marks=marks, faint=("loss",))
    write_figure(figure, path)
    print(f"seqnets: the figure is in '{path}'", file=sys.stderr)
