"""The option --seed of verbs that draw: without it a seed is drawn, and reported so that the result can be reproduced."""

import argparse
import secrets
import sys
from typing import NamedTuple

from seqnets import settings
from seqnets.cli.parser import Parser

_SEEDS = 1 << 32


def add_seed(parser: Parser, decides: str) -> None:
    """Add the option; `Seed.of` reads it."""
    words = f"number that decides {decides} [a new one each time]"
    parser.add_argument("--seed", type=parser.value(int), metavar="N", help=words)


class Seed(NamedTuple):
    """A seed, and whether it was drawn."""

    number: int
    is_drawn: bool

    @classmethod
    def of(cls, found: argparse.Namespace) -> "Seed":
        """Return the seed that was given, or a new one.

        Raises:
            UserError: it is out of range.

        Example:
            >>> Seed.of(argparse.Namespace(seed=3))
            Seed(number=3, is_drawn=False)
        """
        if found.seed is None:
            return cls(secrets.randbelow(_SEEDS), True)
        settings.SEED.check("--seed", found.seed)
        return cls(found.seed, False)

    def report(self) -> None:
        """Report a drawn seed on standard error; a given seed is not reported."""
        if self.is_drawn:
            print(f"seqnets: seed {self.number}", file=sys.stderr)
