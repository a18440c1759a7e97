"""Drawn grids of shapes and questions about them: what module networks learn from where no pictures are given.

The grammar is that of SHAPES (Andreas et al., "Neural Module Networks", 2016): is a red shape left of above a square?
"""

import hashlib
import random
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

GRID, CELL, _FINE = 3, 10, 4
SHAPES, COLORS = ("circle", "square", "triangle"), {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}
RELATIONS = {"left of": (0, 1), "right of": (0, -1), "above": (1, 0), "below": (-1, 0)}
"""From a cell to the one that it stands in this relation to: rows and columns."""

_EMPTY = 0.3
_UNSEEN = 10  # of as many different questions, one is not in training


class Drawn(NamedTuple):
    """A question about a drawn grid.

    Args:
        image: uint8 `(30, 30, 3)`.
        question: the question.
        answer: yes or no.
    """

    image: np.ndarray
    question: str
    answer: str


def draw_questions(count: int, seed: int = 0, *, unseen: bool = False) -> list[Drawn]:
    """Draw grids with a question about each; yes and no are equally frequent.

    Args:
        count: how many.
        seed: seed of the choice.
        unseen: ask only the tenth of all questions that otherwise are never asked.

    Example:
        >>> [(one.question, one.answer) for one in draw_questions(2)]
        [('is a triangle a red shape', 'yes'), ('is a green shape right of left of a circle', 'no')]
    """
    chance = random.Random(f"{seed} {unseen}")
    return [_drawn(chance, number % 2 == 0, unseen) for number in range(count)]


def is_unseen(question: str) -> bool:
    """Return whether a question is one of those that are kept out of training."""
    return hashlib.sha256(question.encode()).digest()[0] % _UNSEEN == 0


def _drawn(chance: random.Random, wanted: bool, unseen: bool) -> Drawn:
    while True:
        one, other = (chance.choice([*SHAPES, *COLORS]) for _ in range(2))
        relations = [chance.choice(list(RELATIONS)) for _ in range(chance.choice((0, 1, 1, 1, 2, 2)))]
        question = f"is {_noun(one)} {' '.join([*relations, _noun(other)])}"
        if is_unseen(question) != unseen:
            continue
        for _ in range(20):  # some answers are rare, and some cannot be
            cells = [[_cell(chance) for _ in range(GRID)] for _ in range(GRID)]
            if _holds(cells, one, relations, other) == wanted:
                return Drawn(_picture(cells, chance), question, "yes" if wanted else "no")


def _noun(word: str) -> str:
    return f"a {word}" if word in SHAPES else f"a {word} shape"


def _cell(chance: random.Random) -> tuple[str, ...]:
    return () if chance.random() < _EMPTY else (chance.choice(SHAPES), chance.choice(list(COLORS)))


def _holds(cells: list[list[tuple[str, ...]]], one: str, relations: list[str], other: str) -> bool:
    steps = [(0, 0)]
    for relation in relations:
        steps.append((steps[-1][0] + RELATIONS[relation][0], steps[-1][1] + RELATIONS[relation][1]))
    inside = range(GRID)
    return any(
        one in cells[row][column]
        and all(row + down in inside and column + right in inside for down, right in steps)
        and other in cells[row + steps[-1][0]][column + steps[-1][1]]
        for row in inside
        for column in inside
    )


def _picture(cells: list[list[tuple[str, ...]]], chance: random.Random) -> np.ndarray:
    image = Image.new("RGB", (GRID * CELL * _FINE, GRID * CELL * _FINE))
    pen = ImageDraw.Draw(image)
    for row, column in np.ndindex(GRID, GRID):
        if cells[row][column]:
            shape, color = cells[row][column]
            paint = tuple(min(255, max(0, value + chance.randint(-45, 45))) for value in COLORS[color])
            side = chance.randint(22, 34)  # in quarters of a pixel, so that some edges are soft
            top, left = (place * CELL * _FINE + (CELL * _FINE - side) // 2 for place in (row, column))
            box = (left, top, left + side - 1, top + side - 1)
            corners = [(left, box[3]), (box[2], box[3]), (left + side // 2, top)]
            {"circle": pen.ellipse, "square": pen.rectangle, "triangle": pen.polygon}[shape](
                corners if shape == "triangle" else box, fill=paint
            )
    return np.asarray(image.reduce(_FINE))
