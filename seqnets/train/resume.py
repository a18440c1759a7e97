"""Decides whether a run begins, continues or is refused in a folder."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

from seqnets.errors import UserError
from seqnets.files import is_leftover
from seqnets.run import CHECKPOINTS, CONFIG, ITEMS, LOCK, SETTINGS, VOCABULARY, WEIGHTS, in_full, read_config
from seqnets.train.config import TrainConfig

Resume = Literal["auto", "never", "must"]

# settings that affect neither past nor future steps
FREE = {
    *("steps", "log_every", "evaluate_every", "save_every", "keep", "patience", "tensorboard", "trackers"),
    *("steps_per_dispatch", "max_bad_steps", "mesh", "watchdog", "cuda_graphs"),
}
_PREPARED = {CONFIG, SETTINGS, VOCABULARY, ITEMS, LOCK}
_ADVICE = "put it back, or give another folder for a new run"
_DIGEST = re.compile("'(sha256:)?[0-9a-f]{16,}'")
_SECTIONS = ("task", "model", "train", "data")


def continues(directory: Path, resume: Resume) -> bool:
    """Return True if the folder holds a run to continue, False if a new run begins in it.

    Raises:
        UserError: `resume` does not allow it, or the folder holds something else.
    """
    if resume not in get_args(Resume):
        raise UserError(f"resume must be one of {', '.join(get_args(Resume))}, not {resume!r}")
    if directory.exists() and not directory.is_dir():
        raise UserError(f"'{directory}' is a file; give a folder for the run")
    found = {path.name for path in directory.iterdir() if not is_leftover(path.name)} if directory.exists() else set()
    # only numbered folders count: a run killed in its first save leaves a folder with another name, and starts over
    saved = (path.name.isdigit() for path in (directory / CHECKPOINTS).glob("[0-9]*"))
    has_checkpoints = CONFIG in found and any(saved)
    if resume == "must" and not has_checkpoints:
        raise UserError(f"'{directory}' has no checkpoint to resume from; give the folder of an earlier run, or resume auto")
    if resume == "never" and found - {LOCK}:
        raise UserError(f"'{directory}' is not empty and resume is 'never'; give another folder, or remove this one")
    if not has_checkpoints:
        _refuse_to_overwrite(directory, found)
    return has_checkpoints


def _refuse_to_overwrite(directory: Path, found: set[str]) -> None:
    if WEIGHTS in found:
        raise UserError(f"'{directory}' holds a trained model but no checkpoint to resume from; give another folder")
    if CONFIG not in found and found - _PREPARED:
        strange = min(found - _PREPARED)
        raise UserError(f"'{directory}' is not a run folder and not empty (it has '{strange}'); give another folder")


def check_unchanged(directory: Path, description: Mapping[str, Any], config: TrainConfig) -> None:
    """Refuse to continue a run under other settings, another model or other data, naming the first difference.

    `steps`, and settings that only say when to log, evaluate and save, may change: `steps` only if the learning
    rates do not depend on it, `evaluate_every` only if the plateau rule does not.

    Raises:
        UserError: something relevant has changed.
    """
    stored = in_full(read_config(directory))
    stored["train"] = {**json.loads(json.dumps(TrainConfig().to_json())), **stored["train"]}  # some settings are newer than it
    bound = {"steps"} if _rates(stored["train"]) != _rates(description["train"]) else set()
    bound |= {"evaluate_every"} if config.schedule == "plateau" else set()
    for section in (*_SECTIONS, *({"from"} & description.keys())):
        free = FREE - bound if section == "train" else set()
        difference = _difference(section, stored.get(section), description[section], free)
        if difference:
            raise UserError(f"'{directory}' cannot be continued: {_changed(*difference, config)}; {_ADVICE}")


def check_alike(descriptions: Sequence[Mapping[str, Any]]) -> None:
    """Refuse to train together with a process that has other settings, another model or other data than the first.

    Args:
        descriptions: the result of `describe_run` in each process.

    Raises:
        UserError: they differ; the message names the first difference.
    """
    for number, other in enumerate(descriptions):
        for section in _SECTIONS:
            difference = _difference(section, descriptions[0][section], other[section], set())
            if difference:
                name, first, own = difference
                raise UserError(
                    f"the processes of a run must be given the same: {name} is {first} in the first process and {own} in "
                    f"number {number}; start all of them with the same command, on equal data"
                )


def _changed(name: str, old: str, new: str, config: TrainConfig) -> str:
    if _DIGEST.fullmatch(old) and _DIGEST.fullmatch(new):
        what = {"data.text": "its text", "data.vocabulary": "its vocabulary"}.get(name, name)
        return f"{what} differs from the one it was trained on"
    reason = f", on which the learning rates of train.schedule {config.schedule!r} depend" if name == "train.steps" else ""
    return f"{name} was {old} and is now {new}{reason}"


def _rates(train: Mapping[str, Any]) -> int | None:
    try:
        return TrainConfig(**train).decay_period
    except TypeError:  # another version's settings: the comparison names the one that differs
        return None


def _difference(name: str, old: Any, new: Any, free: set[str]) -> tuple[str, str, str] | None:
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return None if old == new else (name, _shown(old), _shown(new))
    for key in sorted({*old, *new} - free):
        difference = _difference(f"{name}.{key}", old.get(key), new.get(key), set())
        if difference:
            return difference
    return None


def _shown(value: Any) -> str:
    text = "absent" if value is None else repr(value)
    return text if len(text) <= 120 else f"{text[:117]}..."
