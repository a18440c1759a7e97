"""What a page is about."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from seqnets.inspect import Judgments
from seqnets.inspect.labels import token_texts
from seqnets.run import Run
from seqnets.tasks.text.own_text import LOOKED_AT


@dataclass(frozen=True)
class Subject:
    """What a page is about.

    Attributes:
        runs: the runs; the panels about one model are about the first.
        material: what the findings come from, as `seqnets.web.material.held_out` returns it; None if there is nothing.
        source: what to call it.
        separator: tokens of the document separator of a character model.
        start: the token that a text without a beginning starts from.
        precision: of the weights in the page.
        served: whether a server answers the page.
    """

    runs: Sequence[Run]
    material: Any = None
    source: str = ""
    separator: tuple[int, ...] = ()
    start: int = 0
    precision: Any = "float16"
    served: bool = False

    @property
    def run(self) -> Run:
        """The first run."""
        return self.runs[0]

    @cached_property
    def tokens(self) -> np.ndarray:
        """The material of a character model: the first tokens of a text."""
        return np.asarray(() if self.material is None else self.material[:LOOKED_AT], np.int32)

    @cached_property
    def texts(self) -> list[str]:
        """The text of every token."""
        return token_texts(self.run.vocabulary, self.tokens)

    @cached_property
    def judgments(self) -> Judgments:
        """What a model that gives classes says of the material."""
        from seqnets.web.panels.classes import judge_of

        return judge_of(self.run).judged(self.run.model, self.material)
