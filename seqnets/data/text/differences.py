"""How two vocabularies differ, and what a vocabulary lacks, in words."""

from collections.abc import Iterable, Sequence
from typing import Any

NAMED = 8  # entries that a difference lists


def difference(first: Any, second: Any, names: tuple[str, str]) -> str:
    """Describe what only one of two vocabularies has; "" if they are equal.

    Args:
        first: a `TextVocabulary`.
        second: another one.
        names: what to call them.

    Example:
        >>> from seqnets.data import Vocabulary
        >>> difference(Vocabulary("bytes"), Vocabulary.from_text("abc"), ("one", "the other"))
        'one is of bytes (256 bytes) and the other of chars (3 characters)'
    """
    if first == second:
        return ""
    if first.kind != second.kind:
        return f"{names[0]} is of {first.kind} ({first}) and {names[1]} of {second.kind} ({second})"
    if first.normalize != second.normalize:
        return f"{names[0]} reads texts in the normal form {first.normalize!r} and {names[1]} in {second.normalize!r}"
    sizes = f"{names[0]} has {first} and {names[1]} {len(second):,}"
    only_in = {"first": sorted(second.lacking(first)), "second": sorted(first.lacking(second))}
    parts = [f"only the {which} has {listed(entries)}" for which, entries in only_in.items() if entries]
    return f"{sizes}: {'; '.join(parts) or 'the same ones in a different order'}"


def listed(entries: Sequence[Any], most: int = NAMED) -> str:
    """Return entries as a list for a sentence.

    Example:
        >>> listed("abc", most=2)
        "'a', 'b' and 1 more"
    """
    more = len(entries) - most
    return ", ".join(map(repr, _texts(entries[:most]))) + (f" and {more:,} more" if more > 0 else "")


def _texts(entries: Iterable[Any]) -> list[str]:
    return [entry.decode("utf-8", "backslashreplace") if isinstance(entry, bytes) else str(entry) for entry in entries]


def unknown_words(unknown: int, count: int, policy: str) -> str:
    """Report how many characters a model does not know, and whether they were left out or replaced.

    Example:
        >>> unknown_words(3, 10, "skip")
        '3 of 10 characters are unknown to the model and left out'
    """
    are = "is" if unknown == 1 else "are"
    return f"{unknown:,} of {count:,} characters {are} unknown to the model and {'left out' if policy == 'skip' else 'replaced'}"
