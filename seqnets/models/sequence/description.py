"""What goes wrong when a model is made out of config.json, in a sentence."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

from seqnets.errors import UserError

Given = TypeVar("Given")


@contextmanager
def described(kind: str) -> Iterator[None]:
    """Turn a missing or unknown setting of a description into a `UserError`.

    Raises:
        UserError: the body found a key missing or unexpected.

    Example:
        >>> with described("Labeller"):
        ...     {}["config"]
        Traceback (most recent call last):
        ...
        seqnets.errors.UserError: section 'model' of config.json does not describe a Labeller of this seqnets: 'config'
    """
    try:
        yield
    except (KeyError, TypeError) as error:
        raise UserError(f"section 'model' of config.json does not describe a {kind} of this seqnets: {error}") from None


def needed(vocabulary: Given | None) -> Given:
    """Return the vocabulary, which must be there.

    Raises:
        UserError: it is None.
    """
    if vocabulary is None:
        raise UserError("the run folder has no vocabulary.json, without which its model cannot read; copy the whole folder")
    return vocabulary
