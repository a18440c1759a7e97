"""What a character model's training run is made of."""

from argparse import ArgumentParser
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from seqnets import places, settings
from seqnets.data.text.config import TextConfig
from seqnets.models.char_lm_config import CharLMConfig
from seqnets.tasks import recipe
from seqnets.train.config import TrainConfig

USAGE = "CORPUS ..."


@dataclass(frozen=True)
class TextRunConfig:
    r"""A character model and the text it learns from.

    Example:
        >>> from seqnets import settings
        >>> text = '''
        ... corpus = ["hamlet.txt"]
        ... [model]
        ... cell = "gru"
        ... '''
        >>> config = settings.loads(text, TextRunConfig(), "hamlet.toml")
        >>> config.corpus, config.model.cell
        (('hamlet.txt',), 'gru')
        >>> settings.loads(settings.dumps(config), TextRunConfig()) == config
        True
        >>> settings.loads("[model]\nlayer = 2", TextRunConfig(), "hamlet.toml")
        Traceback (most recent call last):
        ...
        seqnets.errors.UserError: hamlet.toml: unknown key 'layer' in [model]; did you mean 'layers'?
    """

    task: Literal["text"] = "text"
    """What is learned."""
    corpus: tuple[str, ...] = ()
    """Files, folders, globs, or "-" for standard input; none for the source of Python's standard library."""
    data: TextConfig = field(default_factory=TextConfig)
    """How the text is read, encoded and split."""
    model: CharLMConfig = field(default_factory=CharLMConfig)
    """The shape of the model."""
    train: TrainConfig = field(default_factory=TrainConfig)
    """How it is trained."""


def default() -> TextRunConfig:
    """Return the settings when nothing is said.

    Example:
        >>> default().model.cell
        'lstm'
    """
    return recipe.packaged("text", TextRunConfig())


def add_arguments(parser: ArgumentParser) -> None:
    """Add the words that name the text."""
    parser.add_argument(
        "corpus",
        nargs="*",
        metavar="CORPUS",
        help="files (also .gz), folders, globs, or - for standard input; none for the source of Python's standard library",
    )


def given(found: Any) -> Mapping[str, Any]:
    """Return the words that name the text as settings."""
    return {"corpus": found.corpus} if found.corpus else {}


def run_name(config: TextRunConfig) -> str:
    """Return what to call the run's folder.

    Example:
        >>> run_name(TextRunConfig(corpus=("texts/hamlet.txt.gz",)))
        'hamlet'
    """
    if not config.corpus:
        return "standard-library"
    names = [_stem(source) for source in config.corpus]
    return names[0] if len(names) == 1 else f"{names[0]}-and-{len(names) - 1}-more"


def resolved(config: TextRunConfig) -> TextRunConfig:
    """Return the settings as they mean the same from any folder."""
    return settings.replaced(config, {"corpus": [places.absolute_pattern(source) for source in config.corpus]})


def _stem(source: str) -> str:
    if source == "-":
        return "standard-input"
    fixed = [part for part in Path(source).absolute().parts if not set(part) & set("*?[")]
    name = fixed[-1] if len(fixed) > 1 else "corpus"
    return name.removesuffix(".gz").partition(".")[0] or name.strip(".") or "corpus"
