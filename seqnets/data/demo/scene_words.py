"""Sentences about a scene, and the claims that sentences make."""

import re
from dataclasses import dataclass
from typing import NamedTuple

SHAPES = ("circle", "square", "triangle", "cross")
COLORS = ("red", "green", "blue", "yellow", "purple", "white")
SIZES = ("small", "large")
RELATIONS = ("left of", "right of", "above", "below")
_OPPOSITE = {"left of": "right of", "right of": "left of", "above": "below", "below": "above"}

_THING = rf"({'|'.join(SIZES)}) ({'|'.join(COLORS)}) ({'|'.join(SHAPES)})"
_RELATION = r"(?:to the )?(left of|right of|above|below)"
_TEMPLATES = (
    "a {one} is {relation} a {other}",
    "a {one} {relation} a {other}",
    "there is a {one} {relation} a {other}",
    "{relation} a {other} there is a {one}",
)
_FIRST_THING_FIRST = re.compile(rf"(?:there is )?a {_THING} (?:is )?{_RELATION} a {_THING}")
_FIRST_THING_LAST = re.compile(rf"{_RELATION} a {_THING} there is a {_THING}")


class Thing(NamedTuple):
    """What one thing looks like."""

    size: str
    color: str
    shape: str

    def __str__(self) -> str:
        return " ".join(self)


@dataclass(frozen=True)
class Claim:
    """Two things and the position of the first relative to the second.

    Example:
        >>> claim = Claim(Thing("small", "red", "cross"), "above", Thing("large", "blue", "circle"))
        >>> claim.reversed.relation, claim.reversed == claim, claim.reversed.combination == claim.combination
        ('below', False, True)
    """

    one: Thing
    relation: str
    other: Thing

    @property
    def things(self) -> tuple[Thing, Thing]:
        """Both things."""
        return self.one, self.other

    @property
    def reversed(self) -> "Claim":
        """The same fact, seen from the other thing."""
        return Claim(self.other, _OPPOSITE[self.relation], self.one)

    @property
    def combination(self) -> "Claim":
        """The version of the fact that says left of or above."""
        return self if self.relation in RELATIONS[::2] else self.reversed


def sentences(claim: Claim) -> list[str]:
    """Return the sentences that state a claim, seen from its first thing.

    Example:
        >>> sentences(Claim(Thing("small", "red", "cross"), "left of", Thing("large", "blue", "circle")))[3]
        'to the left of a large blue circle there is a small red cross'
    """
    relation = f"to the {claim.relation}" if claim.relation.endswith(" of") else claim.relation
    return [template.format(one=claim.one, relation=relation, other=claim.other) for template in _TEMPLATES]


def read_claim(caption: str) -> Claim | None:
    """Return what a sentence claims; None if it has none of the known forms.

    Example:
        >>> read_claim("there is a small red cross left of a large blue circle").relation
        'left of'
        >>> read_claim("a small red cross and a circle") is None
        True
    """
    text = " ".join(caption.lower().strip(" .").split())
    if found := _FIRST_THING_FIRST.fullmatch(text):
        parts = found.groups()
        return Claim(Thing(*parts[:3]), parts[3], Thing(*parts[4:]))
    if found := _FIRST_THING_LAST.fullmatch(text):
        parts = found.groups()
        return Claim(Thing(*parts[4:]), parts[0], Thing(*parts[1:4]))
    return None


def is_correct(caption: str, claim: Claim) -> bool:
    """Return whether a sentence makes exactly this claim, seen from either thing.

    Example:
        >>> claim = Claim(Thing("small", "red", "cross"), "above", Thing("large", "blue", "circle"))
        >>> is_correct("a large blue circle is below a small red cross", claim)
        True
        >>> is_correct("a large blue circle is above a small red cross", claim)
        False
    """
    said = read_claim(caption)
    return said is not None and said.combination == claim.combination


def named_things(words: list[str], claim: Claim) -> list[int | None]:
    """Return, for every word of a correct caption, the thing it describes (0 or 1); None for other words.

    Args:
        words: the caption word by word.
        claim: what is true.

    Example:
        >>> claim = Claim(Thing("small", "red", "cross"), "above", Thing("large", "blue", "circle"))
        >>> named_things("below a small red cross there is".split(), claim)
        [None, None, 0, 0, 0, None, None]
    """
    named: list[int | None] = [None] * len(words)
    for crosst in range(len(words) - 2):
        described = tuple(words[crosst : crosst + 3])
        if described in claim.things:
            named[crosst : crosst + 3] = [claim.things.index(Thing(*described))] * 3
    return named
