"""How two vocabularies differ, in a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from seqnets.data.text.vocabulary import Vocabulary

_SHOWN = 8


def describe_difference(first: Vocabulary, second: Vocabulary, names: tuple[str, str]) -> str:
    """Say what only one of two vocabularies has; "" if they are equal. `names` says what to call them."""
    if first == second:
        return ""
    if first.kind != second.kind:
        return f"{names[0]} is of {first.kind} ({first}) and {names[1]} of {second.kind} ({second})"
    if first.normalize != second.normalize:
        return f"{names[0]} reads texts in the normal form {first.normalize!r} and {names[1]} in {second.normalize!r}"
    sizes = f"{names[0]} has {first} and {names[1]} {len(second):,}"
    only_in = {"first": _only(first, second), "second": _only(second, first)}
    parts = [f"only the {which} has {_listed(characters)}" for which, characters in only_in.items() if characters]
    return f"{sizes}: {'; '.join(parts) or 'the same ones in a different order'}"


def _only(vocabulary: Vocabulary, other: Vocabulary) -> list[str]:
    return sorted(set(vocabulary.characters) - set(other.characters))


def _listed(characters: list[str]) -> str:
    more = len(characters) - _SHOWN
    return ", ".join(map(repr, characters[:_SHOWN])) + (f" and {more:,} more" if more > 0 else "")
