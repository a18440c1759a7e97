"""What a run folder says about its training: how far it is, its best figure, its time and its settings."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from seqnets import settings
from seqnets.errors import UserError
from seqnets.run import CARD, METRICS, SETTINGS, TIMING, read_config, read_lines, run_folder
from seqnets.train.folder import is_locked

Objective = Callable[[str], tuple[str, bool]]


@dataclass(frozen=True)
class Results:
    """The results of a run so far.

    Args:
        run: the folder as it was given.
        task: its task; "" if it cannot be read.
        state: "complete", "stopped", "running", "saved" (a model without training) or "unreadable".
        problem: why it cannot be read, as a sentence.
        settings: every setting as `section.name`.
        objective: the validation figure that picks the best weights; "" if it is not known.
        maximize: whether the highest is the best.
        best: its best value; None without validation.
        best_step: the step of the best value.
        steps: steps taken, as far as metrics.jsonl says.
        of_steps: steps to take.
        seconds: seconds of training, without evaluation and saving.
        parameters: numbers in the model's parameters; None in a run of an older version.
        metrics: the lines of metrics.jsonl.
    """

    run: str
    task: str = ""
    state: str = "unreadable"
    problem: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    objective: str = ""
    maximize: bool = False
    best: float | None = None
    best_step: int | None = None
    steps: int = 0
    of_steps: int = 0
    seconds: float = 0.0
    parameters: int | None = None
    metrics: list[dict[str, Any]] = field(default_factory=list, repr=False)

    def curve(self, name: str) -> list[tuple[float, float]]:
        """Return a figure of metrics.jsonl over the steps; "validation" is the objective's."""
        name = f"validation_{self.objective}" if name == "validation" else name
        return [(line["step"], line[name]) for line in self.metrics if line.get(name) is not None]


def _unknown_objective(task: str) -> tuple[str, bool]:
    return "", False


def read_results(run: str, objective: Objective = _unknown_objective) -> Results:
    """Return the results of a run folder; what cannot be read is described in the result and raises no error.

    Args:
        run: the folder, or the name of a run (`seqnets.run.run_folder`).
        objective: `task -> (figure, whether to maximize it)`, for a run that does not state it.

    Example:
        >>> read_results("no/such/run").problem
        "'no/such/run' is not a folder; give the run folder that `seqnets train` made"
    """
    try:
        directory = run_folder(run)
        config = read_config(directory)
        flat, metrics = _settings(directory, config), read_lines(directory / METRICS)
        return _results(run, directory, config, flat, metrics, objective)
    except UserError as error:
        return Results(run, problem=str(error))


def _results(
    run: str, directory: Path, config: Mapping[str, Any], flat: dict[str, Any], metrics: list[dict[str, Any]],
    objective: Objective,
) -> Results:  # fmt: skip
    task, train = str(config["task"]), config["train"]
    name, maximize = (config["objective"], config["maximize"]) if "objective" in config else objective(task)
    best = _best(metrics, f"validation_{name}", maximize=maximize)
    steps, of_steps = max((line["step"] for line in metrics), default=0), train.get("steps", 0)
    return Results(
        run,
        task,
        _state(directory, train, steps),
        settings=flat,
        objective=name,
        maximize=maximize,
        best=best[f"validation_{name}"] if best else None,
        best_step=best["step"] if best else None,
        steps=steps,
        of_steps=of_steps,
        seconds=_seconds(read_lines(directory / TIMING)),
        parameters=config.get("parameters"),
        metrics=metrics,
    )


def _settings(directory: Path, config: Mapping[str, Any]) -> dict[str, Any]:
    stated = config["model"].get("config", {}) if isinstance(config["model"], dict) else {}
    read = settings.read(directory / SETTINGS) if (directory / SETTINGS).is_file() else {"model": stated}
    return _flat({**read, "train": read.get("train", config["train"])})


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in values.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {f"{prefix}{name}": value}
    return flat


def _state(directory: Path, train: Mapping[str, Any], steps: int) -> str:
    if not train:
        return "saved"
    if is_locked(directory):
        return "running"
    ended_early = train.get("patience", 0) > 0 and (directory / CARD).is_file()
    return "complete" if steps >= train["steps"] or ended_early else "stopped"


def _best(metrics: list[dict[str, Any]], name: str, *, maximize: bool) -> dict[str, Any] | None:
    lines = [line for line in metrics if line.get(name) is not None and math.isfinite(line[name])]
    return (max if maximize else min)(lines, key=lambda line: line[name]) if lines else None


def _seconds(timing: list[dict[str, Any]]) -> float:
    """Return the sum over the processes that trained the run: each counts its own seconds from 0."""
    total, last = 0.0, 0.0
    for line in timing:
        seconds = line.get("seconds") or 0.0
        total, last = total + (last if seconds < last else 0.0), seconds
    return total + last
