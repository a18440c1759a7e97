"""The run folder: its content, and how to load a trained model from it.

config.json         the model, its training and its data (for programs); its checksum, and those of the next two files
config.toml         the resolved settings (for people, and for `seqnets train --config`)
vocabulary.json     the characters, for tasks that have them
items.safetensors   hashes of the items of a text of items, so that new ones can be recognized without the text
model.safetensors   the weights with the best validation figure (the last ones where there is no validation)
metrics.jsonl       the figures of training: the same file, byte for byte, in every run of the same seed
timing.jsonl        speed and memory, which differ in every run
samples.jsonl       what the model wrote at each evaluation, for tasks that preview
checkpoints/        what `fit` continues from
curve.png README.md
"""

import contextlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from flax import nnx

from seqnets import hub, manifest, settings
from seqnets.decoders import json_value, read_bytes, read_json, read_text, reading
from seqnets.errors import UserError
from seqnets.files import checksum, json_text, replace_file
from seqnets.models import KINDS
from seqnets.models.description import filled
from seqnets.models.sequence.config import RecurrentConfig
from seqnets.named_arrays import host_arrays, replace_arrays
from seqnets.shipped import shipped_runs

FORMAT, FORMAT_VERSION = "seqnets-run", 2  # format 1 had no checksums in config.json
CONFIG, SETTINGS, VOCABULARY, WEIGHTS = "config.json", "config.toml", "vocabulary.json", "model.safetensors"
ITEMS = "items.safetensors"
METRICS, TIMING, SAMPLES = "metrics.jsonl", "timing.jsonl", "samples.jsonl"
CHECKPOINTS, CURVE, CARD, LOCK = "checkpoints", "curve.png", "README.md", ".lock"

Build = Callable[[Mapping[str, Any], Any], nnx.Module]


@dataclass(frozen=True)
class Run:
    """A trained model and its records.

    Args:
        model: the model with the best weights.
        config: the content of config.json: `task`, `model`, `train`, `data`.
        vocabulary: a `seqnets.data.Vocabulary`, or a `TokenVocabulary`; None for tasks without one.
        directory: the run folder; None for a run in memory.
        metrics: the lines of metrics.jsonl.
    """

    model: Any
    config: Mapping[str, Any]
    vocabulary: Any
    directory: Path | None
    metrics: list[dict[str, Any]]

    @property
    def samples(self) -> list[dict[str, Any]]:
        """What the model wrote at each evaluation of its training so far: `step` and `text`; empty for a run in memory."""
        return read_samples(self.directory) if self.directory else []

    def _repr_html_(self) -> str:
        from seqnets.notebook import run_html

        return run_html(self)


PUBLISHED = (CONFIG, SETTINGS, VOCABULARY, WEIGHTS, METRICS, CURVE, CARD)  # what a run on Hugging Face consists of
LEFT_OUT = "left out"  # what config.json says of its checkpoints


def run_folder(name: str | os.PathLike[str]) -> Path:
    """Return the folder of a run that is given by its path or by its name.

    Args:
        name: a folder; the name of a run that is part of seqnets (`seqnets.shipped.shipped_runs`); or `hf:OWNER/NAME`, a run on
            Hugging Face, which is downloaded. A folder of that name comes first.

    Raises:
        UserError: the run cannot be downloaded.

    Example:
        >>> run_folder("runs/plays").as_posix(), run_folder("scenes").parent.name
        ('runs/plays', 'shipped')
    """
    if hub.is_repository(name):
        return hub.pull(os.fspath(name), PUBLISHED)
    path = Path(name)
    return path if path.is_dir() else shipped_runs().get(os.fspath(name), path)


def load(path: str | os.PathLike[str], *, build: Build | None = None) -> Run:
    """Return the trained model of a run folder, on any device.

    Args:
        path: the folder that `fit` or `seqnets train` made, or a name as for `run_folder`.
        build: makes the model, with arbitrary weights, from config.json's section `model` and the vocabulary; needed
            only for models that are not part of seqnets.

    Raises:
        UserError: the folder is not a run, is incomplete or damaged, or was written by a newer seqnets.

    Example:
        >>> load("no/such/folder")
        Traceback (most recent call last):
        ...
        seqnets.errors.UserError: 'no/such/folder' is not a folder; give the run folder that `seqnets train` made
    """
    directory = run_folder(path)
    read_config(directory)  # its errors say more than those of missing weights
    return assembled(directory, read_weights(directory / WEIGHTS), f"'{directory / WEIGHTS}'", build)


def assembled(directory: Path, arrays: Mapping[str, np.ndarray], source: str, build: Build | None = None) -> Run:
    """Return the model of a run folder with given arrays.

    Args:
        directory: the run folder.
        arrays: all arrays of the model by name.
        source: what holds them, for errors.
        build: as for `load`.

    Raises:
        UserError: the folder is not a run or is damaged, or the arrays do not fit.
    """
    config = read_config(directory)
    vocabulary = read_vocabulary(directory / VOCABULARY)
    builder = build or _builder(directory, config)
    if build is None:
        _refuse_more_layers(config["model"], arrays)
    try:
        graphdef, state = nnx.split(nnx.eval_shape(lambda: builder(config["model"], vocabulary)))
    except UserError as error:
        raise UserError(str(error)) from error  # without what JAX adds to it
    weights = replace_arrays(state, _in_full_precision(arrays), source=source)
    return Run(nnx.merge(graphdef, weights), config, vocabulary, directory, read_lines(directory / METRICS))


def _in_full_precision(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the arrays with those of half precision, in which weights may be stored, as float32."""
    return {name: array.astype(np.float32) if array.dtype == np.float16 else array for name, array in arrays.items()}


def _refuse_more_layers(description: Mapping[str, Any], arrays: Mapping[str, Any]) -> None:
    said = description.get("config")
    names = ["layers", "glimpses"] if description.get("kind") == "VQA" else ["layers"]  # a glancer's glimpses share their arrays
    for name in names:  # a model of this size would take minutes to make
        count = said.get(name) if isinstance(said, Mapping) else None
        if isinstance(count, int) and count > len(arrays):
            raise UserError(f"{CONFIG} describes more {name} than {WEIGHTS} has arrays ({len(arrays)}); put back copies of both")


def read_config(directory: Path) -> dict[str, Any]:
    """Return the content of a run folder's config.json.

    Raises:
        UserError: the folder or file does not exist, was not written by seqnets, or is damaged.
    """
    return _stated(directory)[0]


def in_full(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return what config.json states, with the settings of the model that seqnets got later at their defaults.

    Example:
        >>> in_full({"model": {"kind": "CharLM", "config": {"layers": 2}}})["model"]["config"]["zoneout"]
        0.0
    """
    model = config["model"]
    kind, stated = (model.get("kind"), model.get("config")) if isinstance(model, dict) else (None, None)
    if kind not in KINDS or not isinstance(stated, dict):
        return dict(config)
    default = getattr(import_module(f"seqnets.models.{KINDS[kind]}"), f"{kind}Config", RecurrentConfig)()
    return {**config, "model": {**model, "kind": kind, "config": filled(stated, default)}}


def write_config(directory: Path, description: Mapping[str, Any], listed: Mapping[str, list[str]]) -> None:
    """Write config.json.

    Args:
        directory: the run folder.
        description: the description of the run.
        listed: results of `manifest.figures` for other files of the folder, by name.
    """
    replace_file(directory / CONFIG, manifest.sealed_json({**description, "files": listed}))


def read_listed(directory: Path) -> dict[str, list[str]]:
    """Return the files listed in config.json with their checksums; empty if an older seqnets wrote it."""
    return _stated(directory)[1]


def check_file(path: Path) -> None:
    """Refuse a file of a run folder that differs from its entry in config.json.

    Raises:
        UserError: it is missing or does not match its checksum.
    """
    listed = read_listed(path.parent).get(path.name)
    if listed and not path.is_file():
        raise UserError(f"'{path.parent}' has no {path.name}, which its {CONFIG} lists; put back a copy of it")
    if listed and manifest.figures(read_bytes(path)) not in listed:
        raise UserError(f"'{path}' is damaged: it does not match its checksum in {CONFIG}; put back a copy of it")


def _stated(directory: Path) -> tuple[dict[str, Any], dict[str, list[str]]]:
    if not directory.is_dir():
        raise UserError(f"'{directory}' is not a folder; give the run folder that `seqnets train` made")
    if not (directory / CONFIG).is_file():
        raise UserError(f"'{directory}' is not a run folder: it has no {CONFIG}")
    path = directory / CONFIG
    config = read_json(path)
    if not isinstance(config, dict) or config.get("format") != FORMAT:
        raise UserError(f"'{path}' was not written by seqnets")
    found = config.get("format_version")
    if (found == FORMAT_VERSION or "checksum" in config) and not manifest.is_whole(read_text(path)):
        raise UserError(f"'{path}' is damaged: it does not match its checksum; put back a copy of it")
    if found not in (1, FORMAT_VERSION):
        raise UserError(f"'{directory}' has format {found}, but this seqnets reads {FORMAT_VERSION}; install the newer seqnets")
    missing = [name for name in ("task", "model", "train", "data") if name not in config]
    if missing:
        raise UserError(f"'{path}' is damaged: it has no {missing[0]!r}")
    listed = config.pop("files", {})
    if not (isinstance(listed, dict) and all(isinstance(figures, list) for figures in listed.values())):
        raise UserError(f"'{path}' is damaged: its list of files is not valid")
    config.pop("checksum", None)
    return settings.renewed(config), listed


def read_weights(path: Path) -> dict[str, np.ndarray]:
    """Return the arrays of a weights file that `write_weights` wrote.

    Raises:
        UserError: the file is missing, was not written by seqnets, or does not match its checksums.
    """
    from safetensors import safe_open

    if not path.is_file():
        raise _without_weights(path)
    with reading(path, advice="put back a copy of it"):
        with safe_open(path, framework="numpy") as file:
            arrays, facts = {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
        checksums = json.loads(facts["seqnets_checksums"]) if "seqnets_checksums" in facts else None
    if checksums is None:
        raise UserError(
            f"'{path}' was written by another program, without the checksums of seqnets; put back the run's own file, or "
            "write the arrays with seqnets.run.write_weights(path, arrays)"
        )
    if checksums != {name: checksum(array) for name, array in arrays.items()}:
        raise UserError(f"'{path}' is damaged: an array does not match its checksum")
    return arrays


def _without_weights(path: Path) -> UserError:
    saved = sorted(int(found.name) for found in (path.parent / CHECKPOINTS).glob("[0-9]*") if found.name.isdigit())
    if saved:
        return UserError(
            f"'{path.parent}' has no {path.name}, though its training has saved step {saved[-1]:,}; the command that trained it "
            "writes it again"
        )
    if read_listed(path.parent) and not (path.parent / METRICS).is_file():
        return UserError(
            f"'{path.parent}' has neither {path.name} nor {CHECKPOINTS}: the result of training is missing; copy the whole folder"
        )
    return UserError(f"'{path.parent}' has no {path.name} yet: its training has not reached a checkpoint; continue it")


def weights_digest(arrays: Mapping[str, np.ndarray]) -> str:
    """Return what identifies the weights of a run, for the record of its checkpoints.

    Example:
        >>> weights_digest({"bias": np.zeros(2)}) == weights_digest({"bias": np.ones(2)})
        False
    """
    return manifest.figures(json.dumps({name: checksum(arrays[name]) for name in sorted(arrays)}))


def write_weights(path: Path, state: Any) -> None:
    """Write a model's arrays (an `nnx.State`, or arrays by dotted names), with checksums, replacing the file at once."""
    from safetensors.numpy import save

    arrays = host_arrays(state)
    checksums = json.dumps({name: checksum(array) for name, array in arrays.items()})
    # only one entry: safetensors writes several in any order, and equal weights should give equal files
    replace_file(path, save(arrays, {"seqnets_checksums": checksums}))


def write_json(path: Path, value: Any) -> None:
    """Write JSON for people to read, replacing the file at once."""
    replace_file(path, json_text(value))


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Return the objects of a JSON-lines file; a last line cut short is left out."""
    lines = read_text(path).split("\n")[:-1] if path.exists() else []
    return [json_value(line, path, line=number) for number, line in enumerate(lines, start=1)]


def read_samples(directory: Path) -> list[dict[str, Any]]:
    """Return the lines of samples.jsonl in a run folder: `step` and `text`; damaged lines are left out, as nothing needs them.

    Example:
        >>> read_samples(Path("no/such/run"))
        []
    """
    path, found = directory / SAMPLES, []
    for line in read_bytes(path).split(b"\n")[:-1] if path.is_file() else []:
        with contextlib.suppress(UserError):
            found.append(json_value(line, path))
    return [line for line in found if _is_sample(line)]


def _is_sample(line: Any) -> bool:
    return isinstance(line, dict) and isinstance(line.get("step"), int) and isinstance(line.get("text"), str)


def damage_of_metrics(path: Path, record: Mapping[str, Any]) -> str | None:
    """Describe what is wrong with the lines of metrics.jsonl before a checkpoint; None if they are right.

    Args:
        path: the file.
        record: the record of the checkpoint.
    """
    if not path.is_file():
        return f"'{path}' is missing"
    content = read_bytes(path)[: record["metrics_bytes"]]
    if record.get("metrics_checksum", figures := manifest.figures(content)) != figures:
        return f"'{path}' is damaged: its first {record['metrics_bytes']:,} bytes do not match their checksum"
    return None


def read_vocabulary(path: Path) -> Any:
    """Return the vocabulary of a run folder; None where it has none.

    Raises:
        UserError: the file is missing, damaged or not a vocabulary.
    """
    from seqnets.data.words.kinds import vocabulary_from_json

    check_file(path)
    with reading(path, advice="put back a copy of it"):
        return vocabulary_from_json(read_json(path)) if path.exists() else None


def _builder(directory: Path, config: Mapping[str, Any]) -> Build:
    kind = config["model"].get("kind") if isinstance(config["model"], dict) else None
    home = KINDS.get(kind) if isinstance(kind, str) else None
    if home is None:
        raise UserError(f"'{directory}' holds a model of kind {kind!r}, which seqnets does not have; pass `build` to load it")
    return import_module(f"seqnets.models.{home}").from_description


TASKS = {  # the task that trains a model of a kind
    "Captioner": "captioner",
    "CharLM": "text",
    "Classifier": "classifier",
    "Detector": "detector",
    "RegionDetector": "detector",
    "Drawer": "drawer",
    "Glancer": "glancer",
    "RegionDescriber": "detector",
    "Localizer": "localizer",
    "ModuleVQA": "vqa",
    "Segmenter": "segmenter",
    "Stylizer": "stylizer",
    "Tagger": "tagger",
    "TextClassifier": "text-classifier",
    "Translator": "translator",
    "TreeClassifier": "tree-classifier",
    "VQA": "vqa",
}
