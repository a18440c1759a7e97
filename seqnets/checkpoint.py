"""Checkpoints: named arrays and a JSON record, saved in the background, checked when restored.

Orbax writes the files of each checkpoint to a temporary folder. Checksums are added, and one rename makes the checkpoint, so a
process killed at any moment leaves only complete ones, each with its list of files. A checkpoint is renamed before it is
deleted.
"""

import contextlib
import functools
import hashlib
import json
import logging
import shutil
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from seqnets import manifest
from seqnets.errors import UserError
from seqnets.files import checksum

Arrays = Mapping[str, np.ndarray]


class Checkpoint(NamedTuple):
    """The content of a checkpoint: arrays by name and a JSON record."""

    step: int
    arrays: dict[str, np.ndarray]
    record: dict[str, Any]


class Checkpoints:
    """The checkpoints of one run: the last few and the best.

    Args:
        directory: their folder; created at the first save.
        keep: how many of the last to keep.
        tell: called with one sentence about problems that do not stop training: a failed save (such as a full
            disk), or a damaged checkpoint that was moved aside.

    Example:
        >>> import tempfile
        >>> with Checkpoints(Path(tempfile.mkdtemp()) / "checkpoints") as checkpoints:
        ...     checkpoints.save(Checkpoint(10, {"w": np.ones(2, np.float32)}, {"loss": 1.5}))
        ...     saved = checkpoints.wait()
        ...     checkpoints.latest()
        Checkpoint(step=10, arrays={'w': array([1., 1.], dtype=float32)}, record={'loss': 1.5})
    """

    def __init__(self, directory: Path, keep: int = 2, tell: Callable[[str], None] = print) -> None:
        self.directory, self.best_step = directory.absolute(), None
        self._keep, self._tell = keep, tell
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="seqnets-checkpoint")
        self._saving: Future[None] | None = None

    def __enter__(self) -> "Checkpoints":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def prepare(self) -> None:
        """Import orbax in the background (a second), so that the first save does not wait for it."""
        self._thread.submit(_orbax)

    def steps(self) -> list[int]:
        """Return the steps that have a complete checkpoint, in order."""
        return sorted(int(path.name) for path in self.directory.glob("[0-9]*") if path.name.isdigit())

    def save(self, checkpoint: Checkpoint, *, best: bool = False) -> None:
        """Save in the background, after the previous save; the arrays must not change meanwhile.

        `failure`, `wait` or the next `save` reports a failed save; older checkpoints are kept.
        """
        self.wait()
        self.best_step = checkpoint.step if best else self.best_step
        if checkpoint.step not in self.steps():
            record = json.loads(json.dumps(checkpoint.record))  # the caller may change its own copy
            self._saving = self._thread.submit(self._write, checkpoint._replace(record=record))

    def poll(self) -> bool:
        """Report a failed save without waiting; return whether all saves have succeeded so far."""
        return self.wait() if self._saving and self._saving.done() else True

    def wait(self) -> bool:
        """Wait for the save in progress, report a failure, and return whether it succeeded."""
        saving, self._saving = self._saving, None
        error = saving.exception() if saving else None
        if error:
            self._remove_temporary()
            self._tell(f"a checkpoint could not be saved, the older ones are kept: {_reason(error)}")
        return error is None

    def latest(self) -> Checkpoint | None:
        """Return the newest complete checkpoint; damaged ones are moved aside and reported."""
        self._remove_temporary()
        for step in reversed(self.steps()):
            try:
                return self.read(step)
            except UserError as error:
                self._tell(f"{error}; moved aside to '{self._set_aside(step)}'")
        return None

    def read(self, step: int) -> Checkpoint:
        """Return the checkpoint of a step.

        Raises:
            UserError: it is damaged.
        """
        folder = self.directory / str(step)
        wrong = manifest.broken(folder) if self.is_listed(step) else None
        if wrong:
            raise UserError(f"the checkpoint of step {step:,} is damaged: {wrong}")
        try:
            with _quiet():
                arrays, sealed = self._read(step)
        except Exception as error:  # a damaged file makes orbax raise any of many exceptions
            raise UserError(f"the checkpoint of step {step:,} cannot be read: {_reason(error)}") from error
        if sealed.get("digest") != _digest(sealed.get("record"), sealed.get("checksums")):
            raise UserError(f"the checkpoint of step {step:,} is damaged: its record does not match its checksum")
        if "list_of_files" in sealed and not self.is_listed(step):
            raise UserError(f"the checkpoint of step {step:,} is damaged: its list of files, {manifest.NAME}, is missing")
        wrong = _first_difference(sealed["checksums"], {name: checksum(array) for name, array in arrays.items()})
        if wrong:
            raise UserError(f"the checkpoint of step {step:,} is damaged: array {wrong!r} does not match its checksum")
        return Checkpoint(step, arrays, sealed["record"])

    def is_listed(self, step: int) -> bool:
        """Return whether a checkpoint has checksums of its files; older ones may have only those of their arrays."""
        return manifest.is_sealed(self.directory / str(step))

    def close(self) -> None:
        """Wait for the save in progress and end the thread."""
        self.wait()
        self._thread.shutdown()

    def _write(self, checkpoint: Checkpoint) -> None:
        self._remove_temporary()
        self.directory.mkdir(parents=True, exist_ok=True)
        args, folder = _orbax().args, self.directory / f"{checkpoint.step}.saving"
        arrays = {name: array for name, array in checkpoint.arrays.items() if array.size}  # orbax refuses empty ones
        checksums = {name: checksum(array) for name, array in arrays.items()}
        digest = _digest(checkpoint.record, checksums)
        sealed = {"record": checkpoint.record, "checksums": checksums, "digest": digest, "list_of_files": manifest.NAME}
        with _quiet(), _checkpointer() as writer:
            writer.save(folder, args.Composite(state=args.PyTreeSave(arrays), record=args.JsonSave(sealed)))
        manifest.seal(folder)
        folder.rename(self.directory / str(checkpoint.step))
        self._delete_older()

    def _delete_older(self) -> None:
        for step in set(self.steps()[: -self._keep]) - {self.best_step}:
            (self.directory / str(step)).rename(self.directory / f"{step}.deleting")
        self._remove_temporary()

    def _read(self, step: int) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        ocp, folder = _orbax(), self.directory / str(step)
        with _checkpointer() as reader:
            sealed = reader.restore(folder, ocp.args.Composite(record=ocp.args.JsonRestore())).record
            as_numpy = {name: ocp.RestoreArgs(restore_type=np.ndarray) for name in sealed["checksums"]}
            arrays = ocp.args.PyTreeRestore(restore_args=as_numpy)
            return dict(reader.restore(folder, ocp.args.Composite(state=arrays)).state), sealed

    def _set_aside(self, step: int) -> Path:
        aside = self.directory.with_name(self.directory.name + "-damaged")
        aside.mkdir(exist_ok=True)
        taken = {path.name for path in aside.iterdir()}
        name = next(name for n in range(len(taken) + 1) if (name := f"{step}-{n}" if n else str(step)) not in taken)
        return (self.directory / str(step)).rename(aside / name)

    def _remove_temporary(self) -> None:
        for path in self.directory.glob("[0-9]*.*"):  # left by a save or a deletion that was killed
            shutil.rmtree(path, ignore_errors=True)


def _digest(record: Any, checksums: Any) -> str:
    return hashlib.sha256(json.dumps([record, checksums], sort_keys=True).encode()).hexdigest()


def _first_difference(expected: Mapping[str, str], found: Mapping[str, str]) -> str | None:
    return next((name for name in sorted({*expected, *found}) if expected.get(name) != found.get(name)), None)


def _reason(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    # at the first array that cannot be read or written, orbax closes its event loop but leaves its threads running, which
    # each print a traceback to standard error; the exception that we get says the same
    unraisable, in_thread = sys.unraisablehook, threading.excepthook
    log = logging.getLogger("absl")
    level = log.level
    log.setLevel(logging.CRITICAL)
    sys.unraisablehook = lambda raised: None if "Event loop is closed" in str(raised.exc_value) else unraisable(raised)
    threading.excepthook = lambda raised: None if _is_of_orbax(raised.exc_traceback) else in_thread(raised)
    try:
        yield
    except Exception:
        time.sleep(0.2)
        raise
    finally:
        sys.unraisablehook, threading.excepthook = unraisable, in_thread
        log.setLevel(level)


def _is_of_orbax(trace: Any) -> bool:
    return any("orbax" in frame.filename for frame in traceback.extract_tb(trace))


def _alone() -> Any:
    """Return the options that keep orbax from waiting for the other processes of a run, which save nothing."""
    return _orbax().options.MultiprocessingOptions(primary_host=0, active_processes={0}, barrier_sync_key_prefix="seqnets")


def _checkpointer() -> Any:
    ocp, alone = _orbax(), _alone()
    handler = ocp.CompositeCheckpointHandler(
        composite_options=ocp.CompositeOptions(multiprocessing_options=alone),
        state=ocp.PyTreeCheckpointHandler(multiprocessing_options=alone),
        record=ocp.JsonCheckpointHandler(multiprocessing_options=alone),
    )
    # synchronous, since we use our own thread: a failure is then reported for its save, not for the next one
    return ocp.Checkpointer(handler, multiprocessing_options=alone)


@functools.cache
def _orbax() -> Any:
    import orbax.checkpoint

    return orbax.checkpoint
