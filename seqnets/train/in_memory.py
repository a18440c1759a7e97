"""The description of a run, and the store of a run in memory."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
from flax import nnx

from seqnets import __version__
from seqnets.named_arrays import host_arrays, replace_arrays
from seqnets.run import FORMAT, FORMAT_VERSION, weights_digest
from seqnets.train.config import TrainConfig
from seqnets.train.state import TrainState
from seqnets.train.task import Task

Record = dict[str, Any]


def describe_run(task: Task, config: TrainConfig, origin: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the content of a run's config.json; `origin` is what it began with."""
    description = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "seqnets_version": __version__,
        "task": task.name,
        "objective": task.objective,
        "maximize": task.maximize,
        "parameters": sum(leaf.size for leaf in jax.tree.leaves(nnx.state(task.model, nnx.Param))),
        "model": task.artifacts().get("model", {}),
        "train": config.to_json(),
        "data": dict(task.fingerprint()),
        **({"from": dict(origin)} if origin else {}),
    }
    return json.loads(json.dumps(description))  # in the form in which it is read back: tuples become lists


class InMemory:
    """Keeps the metrics and the best weights, and nothing on disk."""

    directory: Path | None = None
    keeps_samples = False

    def __init__(self, task: Task, config: TrainConfig, origin: Mapping[str, Any] | None = None) -> None:
        self.description, self.metrics = describe_run(task, config, origin), []
        self._weights: Any = None

    def restore(self, state: TrainState) -> tuple[TrainState, Record]:
        """Return the state unchanged: there is nothing to restore."""
        return state, {}

    def log(self, line: Mapping[str, Any]) -> None:
        """Keep a line of metrics."""
        self.metrics.append(dict(line))

    def time(self, line: Mapping[str, Any]) -> None:
        """Drop a line of timing."""

    def keep_sample(self, step: int, text: str) -> None:
        """Drop a sample."""

    def save(self, step: int, state: TrainState, record: Record, *, best: bool = False) -> None:
        """Save nothing."""

    def prepare(self) -> None:
        """Nothing will be saved."""

    def poll(self) -> None:
        """Nothing is being saved."""

    def wait(self) -> None:
        """Nothing is being saved."""

    def unsaved(self, step: int) -> str:
        """Return "": nothing had to be kept."""
        return ""

    @property
    def exported(self) -> bool:
        """Whether weights have been exported."""
        return self._weights is not None

    def export(self, weights: Any) -> str:
        """Keep a copy of the weights, and return their digest."""
        self._weights = host_arrays(weights)
        return weights_digest(self._weights)

    def weights(self, like: Any) -> Any:
        """Return the exported weights."""
        return replace_arrays(like, self._weights, source="the exported weights")

    def close(self) -> None:
        """Nothing to close."""
