"""Makes models from config.json: every mistake in it becomes one clear error."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any, TypeVar

from flax import nnx

from seqnets import settings
from seqnets.data.images.preprocessing import Preprocessing
from seqnets.errors import UserError
from seqnets.models.cell_config import CellConfig, without_others

Given = TypeVar("Given")
Config = TypeVar("Config")

_SECTION = "section 'model' of config.json"

# settings that do not change what a model computes after training: a run that begins with another's weights may change them
TRAINING_ONLY = {
    *("dropout", "locked_dropout", "weight_dropout", "input_dropout", "feature_dropout", "context_dropout", "unknown_rate"),
    *("activation_penalty", "slowness_penalty", "forget_bias", "carry_bias", "remat", "dtype", "backend"),
}


@contextmanager
def described(kind: str) -> Iterator[None]:
    """Turn any error while a model is made from its description into a `UserError`.

    Raises:
        UserError: the model could not be made.

    Example:
        >>> with described("Tagger"):
        ...     {}["config"]
        Traceback (most recent call last):
        ...
        seqnets.errors.UserError: section 'model' of config.json does not describe a Tagger of this seqnets: KeyError('config')
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"{_SECTION} does not describe a {kind} of this seqnets: {repr(error)[:150]}") from error


def stated(config: Any, default: Config) -> Config:
    """Return the settings in a description, with checked types; settings added since then get their defaults.

    Raises:
        UserError: a setting is unknown or has the wrong type.

    Example:
        >>> from seqnets.models.sequence.config import RecurrentConfig
        >>> stated({"layers": 1.5}, RecurrentConfig())
        Traceback (most recent call last):
        ...
        seqnets.errors.UserError: section 'model' of config.json: layers must be a whole number, not 1.5
    """
    if not isinstance(config, Mapping):
        raise UserError(f"{_SECTION} has no object 'config' with the settings of the model; put back a copy of it")
    if config.get("backend") == "cudnn":  # older runs could have this setting
        config = {**config, "backend": "auto"}
    values = without_others(config) if isinstance(default, CellConfig) else config
    return settings.replaced(default, values, _SECTION)


def filled(config: Mapping[str, Any], default: Any) -> dict[str, Any]:
    """Return the settings that a description states, as JSON has them, with those that it lacks at their defaults.

    Example:
        >>> from seqnets.models.sequence.config import RecurrentConfig
        >>> filled({"layers": 3, "cell": "lstm", "depth": 9}, RecurrentConfig())["depth"]
        2
    """
    known = without_others(config) if isinstance(default, CellConfig) else config
    return {**json.loads(json.dumps(asdict(default))), **known}


def names(value: Any, what: str) -> list[str]:
    """Return a list of names in a description.

    Raises:
        UserError: it is not a list of texts, or is empty.

    Example:
        >>> names(["odd", "even"], "labels")
        ['odd', 'even']
    """
    if not isinstance(value, list | tuple) or not value or not all(isinstance(name, str) for name in value):
        raise UserError(f"{_SECTION}: {what} must be a list of at least one text; put back a copy of it")
    return list(value)


def reader_of(kind: Any, config: type) -> Callable[..., Any]:
    """Return the function that makes a network with settings, labels and a preprocessing from section `model` of config.json.

    Args:
        kind: the network, `kind(settings, labels, preprocessing, rngs=...)`.
        config: its settings.

    Example:
        >>> from seqnets.models.dense.segmenter import Segmenter, SegmenterConfig
        >>> rule = Preprocessing(resize=(16, 16), crop=None)
        >>> model = Segmenter(SegmenterConfig(width=2), ("a", "b"), rule, rngs=nnx.Rngs(0))
        >>> reader_of(Segmenter, SegmenterConfig)(model.describe()).labels
        ('a', 'b')
    """

    def from_description(description: Mapping[str, Any], vocabulary: Any = None) -> Any:
        """Make the network, with arbitrary weights; it has no vocabulary."""
        with described(kind.__name__):
            shape, rule = stated(description["config"], config()), Preprocessing.from_json(description["preprocessing"])
            return kind(shape, names(description.get("labels"), "labels"), rule, rngs=nnx.Rngs(0))

    return from_description


def needed(vocabulary: Any, kind: type[Given]) -> Given:
    """Return the vocabulary of a run, which must exist and be of the model's kind.

    Raises:
        UserError: it is None or of another kind.
    """
    if vocabulary is None:
        raise UserError("the run folder has no vocabulary.json, which its model needs; copy the whole folder")
    if not isinstance(vocabulary, kind):
        raise UserError("vocabulary.json belongs to another kind of model than config.json describes; put back copies of both")
    return vocabulary
