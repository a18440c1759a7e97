"""Arithmetic as labeled trees: what a classifier of trees learns from where no trees are given."""

import operator
import random

MODULUS, DIGITS = 5, 10
_OPERATIONS = {"+": operator.add, "-": operator.sub, "*": operator.mul}


def arithmetic_trees(count: int, seed: int = 0, *, most: int = 8) -> str:
    """Return random sums, differences and products of digits as trees, a line each: every number is labeled with its value mod 5.

    Args:
        count: how many.
        seed: seed of the choice.
        most: most digits of a tree; each number from 2 on is equally likely.

    Example:
        >>> print(arithmetic_trees(2, seed=3, most=3))
        (1 (0 5) (_ -) (4 9))
        (3 (2 7) (_ *) (4 4))
    """
    chance = random.Random(seed)
    return "\n".join(_drawn(chance, chance.randint(2, most))[1] for _ in range(count))


def _drawn(chance: random.Random, digits: int) -> tuple[int, str]:
    """Return the value of an expression with some digits, and its tree."""
    if digits == 1:
        digit = chance.randrange(DIGITS)
        return digit, f"({digit % MODULUS} {digit})"
    left = chance.randint(1, digits - 1)
    (first, one), (second, other) = _drawn(chance, left), _drawn(chance, digits - left)
    sign = chance.choice(list(_OPERATIONS))
    value = _OPERATIONS[sign](first, second) % MODULUS
    return value, f"({value} {one} (_ {sign}) {other})"
