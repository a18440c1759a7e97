"""The run folder during training; runs without a folder are in in_memory.py."""

import contextlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import tomli_w

from seqnets import manifest
from seqnets.checkpoint import Checkpoint, Checkpoints
from seqnets.errors import UserError
from seqnets.files import json_text, remove_leftovers
from seqnets.locks import is_held, only_process
from seqnets.named_arrays import host_arrays, replace_arrays
from seqnets.run import (
    CHECKPOINTS,
    LOCK,
    METRICS,
    SAMPLES,
    SETTINGS,
    TIMING,
    VOCABULARY,
    WEIGHTS,
    check_file,
    damage_of_metrics,
    read_config,
    read_lines,
    read_listed,
    read_samples,
    read_weights,
    replace_file,
    weights_digest,
    write_config,
    write_weights,
)  # fmt: skip
from seqnets.train.config import TrainConfig
from seqnets.train.in_memory import InMemory, describe_run
from seqnets.train.resume import Resume, check_unchanged, continues
from seqnets.train.state import TrainState, evaluated_weights
from seqnets.train.task import Task
from seqnets.train.trackers import Guarded, TrackedRun, makers
from seqnets.train.tracking import JsonLines

Record = dict[str, Any]
Tell = Callable[[str], None]


class NotSaved(RuntimeError):
    """A result of training could not be written; the message says what was kept.

    Attributes:
        exit_code: 1.
    """

    exit_code = 1


class InFolder:
    """A run folder while it is being trained in; one process at a time.

    Raises:
        UserError: the folder cannot be used; see `continues` and `check_unchanged`.
    """

    keeps_samples = True

    def __init__(
        self,
        directory: Path,
        task: Task,
        config: TrainConfig,
        resume: Resume,
        settings: str | None,
        tell: Tell,
        origin: Mapping[str, Any] | None = None,
    ) -> None:
        self.directory, self.description = directory, describe_run(task, config, origin)
        self._tell, self._undo = tell, contextlib.ExitStack()
        self._continues = continues(directory, resume)
        if self._continues:
            check_unchanged(directory, self.description, config)
            self.description |= {"from": begun} if (begun := read_config(directory).get("from")) else {}
        self._trackers = makers(config.every_tracker)
        directory.mkdir(parents=True, exist_ok=True)
        busy = f"another process is training in '{directory}'; wait for it, or give another folder"
        self._undo.enter_context(only_process(directory / LOCK, busy))
        remove_leftovers(directory)
        self._write_description(task, settings)
        self._checkpoints = self._undo.enter_context(Checkpoints(directory / CHECKPOINTS, config.keep, tell))
        self._held: dict[str, Any] | None = None
        self._samples: JsonLines | None = None  # opened with the first one: most tasks have none

    def restore(self, state: TrainState) -> tuple[TrainState, Record]:
        """Return the state and record of the newest complete checkpoint, or the given state, and open the metrics there."""
        checkpoint = self._checkpoints.latest() if self._continues else None
        if self._continues and checkpoint is None:
            raise UserError(f"every checkpoint of '{self.directory}' is damaged; start again in another folder")
        if checkpoint is None:
            self._open_metrics(0, 0)
            self._drop_samples(after=0)
            return state, {}
        record = checkpoint.record
        self._checkpoints.best_step = (record["best"] or {}).get("step")
        self._check_metrics(record, checkpoint.step)
        self._open_metrics(record["metrics_bytes"], checkpoint.step)
        self._drop_samples(after=record.get("evaluated", 0))
        source = f"the checkpoint of step {checkpoint.step:,}"
        self._mend_weights(state, (record["best"] or {}).get("weights"))
        return replace_arrays(state, checkpoint.arrays, source=source), record

    def log(self, line: Mapping[str, Any]) -> None:
        """Write a line of metrics."""
        for writer in self._writers:
            _guarded(writer.append, line)

    def time(self, line: Mapping[str, Any]) -> None:
        """Write a line of timing."""
        _guarded(self._timing.append, line)

    def keep_sample(self, step: int, text: str) -> None:
        """Write what the model wrote at an evaluation."""
        if self._samples is None:
            self._samples = JsonLines(self.directory / SAMPLES)
            self._undo.callback(self._samples.close)
        _guarded(self._samples.append, {"step": step, "text": text})

    def save(self, step: int, state: TrainState, record: Record, *, best: bool = False) -> None:
        """Save a checkpoint in the background."""
        metrics = self._writers[0]
        _guarded(metrics.sync)
        record = {**record, "metrics_bytes": metrics.size, "metrics_checksum": metrics.figures}
        self._checkpoints.save(Checkpoint(step, host_arrays(state), record), best=best)
        if self._held is not None and self._checkpoints.wait():
            self._write_held()

    def prepare(self) -> None:
        """Prepare for saving, in the background."""
        self._checkpoints.prepare()

    def poll(self) -> None:
        """Report a failed save."""
        self._checkpoints.poll()

    def wait(self) -> None:
        """Wait for the save in progress, and write the weights that depend on it."""
        self._checkpoints.wait()
        self._write_held()

    def unsaved(self, step: int) -> str:
        """Describe what of a step could not be kept, and what to do; "" if everything was kept."""
        steps, parts = self._checkpoints.steps(), []
        if step not in steps:
            kept = f" (that of step {steps[-1]:,} is kept)" if steps else ""
            parts.append(f"the checkpoint of step {step:,} could not be saved{kept}")
        if self._held is not None:
            older = "holds older ones" if self.exported else "is not there"
            parts.append(f"the weights could not be written to '{self.directory / WEIGHTS}', which {older}")
        again = "make room and run the same command again"
        if self.exported and not steps:  # the same command would not overwrite it
            again = f"the weights are saved in '{self.directory}'; to train on, make room and give another folder"
        return f"{' and '.join(parts)}; {again}" if parts else ""

    @property
    def exported(self) -> bool:
        """Whether weights have been exported."""
        return (self.directory / WEIGHTS).exists()

    def export(self, weights: Any) -> str:
        """Write model.safetensors and return the digest of the weights.

        The first time it waits for the first checkpoint, which the run needs to continue. A failed write is tried again
        with every checkpoint.
        """
        self._held = host_arrays(weights)
        digest = weights_digest(self._held)
        if self._checkpoints.steps():
            self._write_held()
        return digest

    def _write_held(self) -> None:
        if self._held is None:
            return
        try:
            write_weights(self.directory / WEIGHTS, self._held)
            self._held = None
        except OSError as error:
            kept, reason = ", the older one is kept" * self.exported, error.strerror or error
            self._tell(f"'{self.directory / WEIGHTS}' could not be written{kept}: {reason}")

    def weights(self, like: Any) -> Any:
        """Return the exported weights."""
        return replace_arrays(like, read_weights(self.directory / WEIGHTS), source=f"'{self.directory / WEIGHTS}'")

    @property
    def metrics(self) -> list[dict[str, Any]]:
        """The lines of metrics.jsonl."""
        return read_lines(self.directory / METRICS)

    def close(self) -> None:
        """Wait for the save in progress, close the files, release the lock."""
        self._undo.close()

    def _mend_weights(self, like: TrainState, digest: str | None) -> None:
        step = self._checkpoints.best_step
        try:
            found = weights_digest(read_weights(self.directory / WEIGHTS))
            if digest not in (None, found):
                raise UserError(f"'{self.directory / WEIGHTS}' does not hold the weights of step {step:,}, the best")
        except UserError as error:
            if step is None or step not in self._checkpoints.steps():  # they are written again at the end
                return
            best = replace_arrays(like, self._checkpoints.read(step).arrays, source=f"the checkpoint of step {step:,}")
            self.export(weights_of(*evaluated_weights(best)))
            self._tell(f"{str(error).partition(';')[0]}; the weights are taken from the checkpoint of step {step:,} again")

    def _check_metrics(self, record: Record, step: int) -> None:
        path = self.directory / METRICS
        damage = damage_of_metrics(path, record)
        if damage and path.exists():
            raise UserError(f"{damage}; put back a copy of it, or remove it to continue without the figures so far")
        if damage:
            self._tell(f"'{path}' is missing: the figures up to step {step:,} are lost")

    def _open_metrics(self, size: int, step: int) -> None:
        self._writers: list[Any] = [JsonLines(self.directory / METRICS, size)]
        self._timing = JsonLines(self.directory / TIMING)
        for writer in (*self._writers, self._timing):
            self._undo.callback(writer.close)
        run = TrackedRun(self.directory, step, self.description)
        for name, make in self._trackers.items():
            self._writers.append(Guarded(name, make, run, self._tell))
            self._undo.callback(self._writers[-1].close)

    def _drop_samples(self, *, after: int) -> None:
        """Keep the samples up to a step: those of later ones are written again."""
        path = self.directory / SAMPLES
        kept = [line for line in read_samples(self.directory) if line["step"] <= after]
        if path.exists():
            replace_file(path, "".join(f"{json.dumps(line)}\n" for line in kept))

    def _write_description(self, task: Task, settings: str | None) -> None:
        texts = self._texts(task, settings)
        new = {name: [manifest.figures(text)] for name, text in texts.items()}
        old = self._told_of_damage(read_listed(self.directory)) if self._continues else {}
        if old:  # if the process is killed while it writes, old and new content are both valid
            write_config(self.directory, self.description, {name: sorted({*old[name], *new.get(name, [])}) for name in old})
        for name, text in texts.items():
            replace_file(self.directory / name, text)
        write_config(self.directory, self.description, new)

    def _texts(self, task: Task, settings: str | None) -> dict[str, str | bytes]:
        model, artifacts = self.description["model"], task.artifacts()
        vocabulary, files = artifacts.get("vocabulary"), artifacts.get("files", {})
        sections = {"task": task.name, "model": model.get("config", model), "train": self.description["train"]}
        texts = {SETTINGS: settings or tomli_w.dumps(as_toml(sections))}
        return texts | ({} if vocabulary is None else {VOCABULARY: json_text(vocabulary)}) | files

    def _told_of_damage(self, listed: dict[str, list[str]]) -> dict[str, list[str]]:
        for name in listed:
            try:
                check_file(self.directory / name)
            except UserError as error:
                self._tell(f"{str(error).partition(';')[0]}; it is written again")
        return listed


def as_toml(value: Any) -> Any:
    """Return settings with "none" for None, which TOML does not have."""
    if isinstance(value, dict):
        return {name: as_toml(inner) for name, inner in value.items()}
    return "none" if value is None else value


def is_locked(directory: Path) -> bool:
    """Return whether a process is training in a run folder; False where that cannot be found out."""
    return is_held(directory / LOCK)


def _guarded(write: Callable[..., None], *words: Any) -> None:
    try:
        write(*words)
    except OSError as error:
        raise UserError(f"the metrics cannot be written ({error}); make room and run the same command again") from None


def open_store(
    directory: Any,
    task: Task,
    config: TrainConfig,
    resume: Resume,
    settings: str | None,
    tell: Tell,
    origin: Mapping[str, Any] | None = None,
) -> InFolder | InMemory:
    """Return the store of a run: a folder, or memory if the directory is None."""
    if directory is None:
        return InMemory(task, config, origin)
    return InFolder(Path(directory), task, config, resume, settings, tell, origin)


def weights_of(params: Any, rest: Any) -> Any:
    """Return parameters and other variables as one `nnx.State` with the model's names."""
    from flax import nnx

    return jax.tree.map(lambda leaf: leaf, nnx.merge_state(params, rest))
