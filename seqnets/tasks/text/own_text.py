"""The texts on which a trained character model is examined: a split of its own text, or files."""

import dataclasses
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from seqnets import settings
from seqnets.data import read_text
from seqnets.errors import UserError
from seqnets.run import SETTINGS

if TYPE_CHECKING:
    from seqnets.run import Run
    from seqnets.tasks.text import TextRunConfig

STDIN = "-"
LOOKED_AT = 20_000  # tokens that the findings of a page are computed on


def own_split(run: "Run", split: str) -> Any:
    """Read a split of the text that a run learned from; a `TokenStream`.

    Raises:
        UserError: the run does not record its text, or it cannot be read again or has changed.
    """
    config, name = settings_of(run), f"'{run.directory}'"
    if run.directory is None or "corpus" not in settings.read(run.directory / SETTINGS):
        raise UserError(f"{name} does not record its text; give the text as FILE")
    if STDIN in config.corpus and sys.stdin.isatty():
        raise _unknown_text(run)
    try:
        corpus = read_text(*config.corpus, config=config.data, vocabulary=run.vocabulary)
    except UserError as error:
        if STDIN in config.corpus:
            raise _unknown_text(run) from None
        raise UserError(f"the text that {name} was trained on cannot be read again: {error}") from None
    if corpus.fingerprint()["text"] != run.config["data"].get("text"):
        raise UserError(f"the text that {name} was trained on has changed since; give it as FILE to score it as it is")
    return getattr(corpus, split)


def held_out(run: "Run", file: str | None = None) -> tuple[Any, str]:
    """Return the beginning of a text that a run did not learn from, as tokens, and what to call it.

    Args:
        run: a run of `seqnets train text`.
        file: another text; the run's test split, or else its validation split, if None.

    Raises:
        UserError: the text cannot be read, or the run holds none out.
    """
    if file is not None:
        text, _ = text_of(run, [file], unknown="skip")
        return text.read(0, min(len(text), LOOKED_AT)), file
    split = "test" if settings_of(run).data.test_fraction else "validation"
    text = own_split(run, split)
    if len(text) < 2:
        raise UserError("the run held none out; give one")
    return text.read(0, min(len(text), LOOKED_AT)), f"the {split} split"


def text_of(run: "Run", files: Sequence[str], *, encoding: str | None = None, unknown: str = "error") -> tuple[Any, int]:
    """Read files with a run's vocabulary; return a `TokenStream` and the number of characters that the model lacks.

    Args:
        run: a run of `seqnets train text`.
        files: files, folders, globs, or "-" for standard input.
        encoding: theirs; that of training if None.
        unknown: what to do with characters that the model lacks.

    Raises:
        UserError: a file cannot be read, or has a character that the model lacks.
    """
    data: Any = settings_of(run).data
    config = dataclasses.replace(data, window=1, validation_fraction=0.0, test_fraction=0.0, encoding=encoding or data.encoding)
    policy: Any = unknown
    corpus = read_text(*files, config=config, vocabulary=run.vocabulary, unknown=policy)
    return corpus.train, corpus.unknown


def settings_of(run: "Run") -> "TextRunConfig":
    """Read the settings that a run was trained with."""
    from seqnets.tasks.text import RECIPE

    return RECIPE.settings_of(run)


def _unknown_text(run: "Run") -> UserError:
    return UserError(f"'{run.directory}' was trained on standard input; pipe the same text into this command, or give it as FILE")
