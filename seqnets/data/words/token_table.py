"""The tokens of sequences that are already cut: words as written, or single characters."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from seqnets.errors import UserError

_NAMES = ("<pad>", "<unknown>")
_SIGNS = len(_NAMES)


@dataclass(frozen=True)
class TokenTable:
    """Whole tokens by number: 0 pads, 1 is unknown, token i of the table is 2 + i.

    Args:
        tokens: distinct texts.

    Raises:
        UserError: there are no tokens, or one occurs twice.

    Example:
        >>> table = TokenTable.of([["New", "York"], ["New", "Delhi"]])
        >>> table.tokens, table.numbers(["New", "Ulm"]).tolist()
        (('New', 'Delhi', 'York'), [2, 1])
        >>> table.cut("New  York"), TokenTable(("a", "b")).cut("a b")
        (['New', 'York'], ['a', ' ', 'b'])
    """

    tokens: tuple[str, ...]
    pad: ClassVar[int] = 0
    unknown: ClassVar[int] = 1

    def __post_init__(self) -> None:
        if not self.tokens or len(set(self.tokens)) < len(self.tokens):
            raise UserError("a table of tokens needs at least one token, and none of them twice")

    @classmethod
    def of(cls, sequences: Iterable[Sequence[str]], *, min_count: int = 1) -> "TokenTable":
        """Return the tokens that are frequent enough, the most frequent first, equally frequent ones in order."""
        counts = Counter(token for sequence in sequences for token in sequence)
        often = (token for token, count in counts.items() if count >= min_count)
        return cls(tuple(sorted(often, key=lambda token: (-counts[token], token))))

    def __len__(self) -> int:
        return _SIGNS + len(self.tokens)

    def __str__(self) -> str:
        return f"{len(self.tokens):,} different {'characters' if self.is_of_characters else 'tokens'}"

    @property
    def entries(self) -> Sequence[str]:
        """The two special tokens and the tokens of the table."""
        return (*_NAMES, *self.tokens)

    def lacking(self, other: "TokenTable") -> list[str]:
        """Return the tokens of another table that this one lacks, in its order."""
        known = set(self.tokens)
        return [token for token in other.tokens if token not in known]

    def grown(self, other: "TokenTable") -> "TokenTable":
        """Return this table with the tokens at its end that only another one has.

        Example:
            >>> TokenTable(("a", "b")).grown(TokenTable(("c", "a"))).tokens
            ('a', 'b', 'c')
        """
        return TokenTable((*self.tokens, *self.lacking(other)))

    @cached_property
    def is_of_characters(self) -> bool:
        """Whether every token is a single character."""
        return all(len(token) == 1 for token in self.tokens)

    @cached_property
    def _number_of(self) -> dict[str, int]:
        return {token: _SIGNS + i for i, token in enumerate(self.tokens)}

    def numbers(self, tokens: Sequence[str]) -> np.ndarray:
        """Return the numbers of tokens, int32 `(T,)`; tokens missing from the table are unknown."""
        return np.array([self._number_of.get(token, self.unknown) for token in tokens], np.int32)

    def cut(self, text: str) -> list[str]:
        """Cut a text as the table's sequences are cut: into characters, or at white space."""
        return list(text) if self.is_of_characters else text.split()

    def to_json(self) -> dict[str, Any]:
        """Return the fields that `from_json` reads, for `json.dump`."""
        return {"kind": "tokens", "tokens": list(self.tokens)}

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> "TokenTable":
        """Return the table that `to_json` wrote.

        Raises:
            UserError: the fields do not describe a table of tokens.
        """
        tokens = fields.get("tokens")
        if set(fields) != {"kind", "tokens"} or not isinstance(tokens, list) or not all(isinstance(t, str) for t in tokens):
            raise UserError(f"a saved table of tokens has the fields 'kind' and 'tokens', not {sorted(fields)}")
        return cls(tuple(tokens))
