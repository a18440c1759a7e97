"""A run folder of a model that no run of ours trained."""

import json
import os
from pathlib import Path
from typing import Any

import tomli_w
from flax import nnx

from seqnets import __version__, manifest
from seqnets.errors import UserError
from seqnets.files import json_text, replace_file
from seqnets.models import classifier
from seqnets.models.cnn.network import ConvNet
from seqnets.named_arrays import host_arrays
from seqnets.run import (
    CARD,
    FORMAT,
    FORMAT_VERSION,
    METRICS,
    SETTINGS,
    TASKS,
    VOCABULARY,
    WEIGHTS,
    Run,
    load,
    write_config,
    write_weights,
)  # fmt: skip
from seqnets.train.card import model_card
from seqnets.train.folder import as_toml


def save_run(model: Any, directory: str | os.PathLike[str]) -> Run:
    """Make a run folder of a model as it is, without training: its description, weights, vocabulary and card.

    `seqnets.load` and the commands `sample`, `caption`, `classify`, `predict`, `answer` and `verify` accept the folder.

    Args:
        model: a `CharLM`, `Captioner`, `Tagger`, `TextClassifier`, `Translator` or `VQA`, or a network of `make_classifier`.
        directory: the folder; it may exist if it is empty.

    Returns:
        The run, as `seqnets.load` returns it.

    Raises:
        UserError: the model is of another kind, or the folder is not empty.

    Example:
        >>> import tempfile
        >>> import seqnets as sn
        >>> model = sn.CharLM(sn.Vocabulary.from_text("abc"), hidden_features=8, rngs=nnx.Rngs(0))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     run = save_run(model, folder)
        >>> run.config["task"], run.model.config.hidden_features
        ('text', 8)
    """
    directory, said = Path(directory), describe(model)
    if directory.is_dir() and any(directory.iterdir()):
        raise UserError(f"'{directory}' is not empty; give another folder")
    if directory.exists() and not directory.is_dir():
        raise UserError(f"'{directory}' is a file; give a folder for the run")
    directory.mkdir(parents=True, exist_ok=True)
    texts = {SETTINGS: tomli_w.dumps(as_toml({"task": said["task"], "model": said["model"]["config"]}))}
    vocabulary = getattr(model, "vocabulary", None)
    texts |= {} if vocabulary is None else {VOCABULARY: json_text(vocabulary.to_json())}
    for name, text in texts.items():
        replace_file(directory / name, text)
    replace_file(directory / METRICS, "")
    write_weights(directory / WEIGHTS, host_arrays(nnx.state(model)))
    write_config(directory, said, {name: [manifest.figures(text)] for name, text in texts.items()})
    run = load(directory)
    replace_file(directory / CARD, model_card(run, None, None))
    return run


def describe(model: Any) -> dict[str, Any]:
    """Return the content of config.json for a model without training.

    Raises:
        UserError: the model is of a kind that no run folder holds.
    """
    if isinstance(model, ConvNet) and model.config is not None:
        said = classifier.describe(model, model.config)
    else:
        said = getattr(model, "describe", dict)()
    if said.get("kind") not in TASKS:
        raise UserError(
            f"a run folder holds one of {', '.join(TASKS)}, not {type(model).__name__}; for a network of images, use one that "
            "make_classifier made"
        )
    versions = {"format": FORMAT, "format_version": FORMAT_VERSION, "seqnets_version": __version__}
    # no settings of training: there was none
    return json.loads(json.dumps({**versions, "task": TASKS[said["kind"]], "model": said, "train": {}, "data": {}}))
