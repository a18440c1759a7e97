"""Pairs that a translator did not learn from, and its translations of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from seqnets.data.examples.examples import Examples, column
from seqnets.data.examples.pairs import pair_examples
from seqnets.data.examples.texts import text_column
from seqnets.decode.captions.hypothesis import Caption
from seqnets.errors import UserError
from seqnets.run import Run
from seqnets.tasks.unchanged import held_out_of


def held_out(run: Run, file: str | None = None, *, most: int = 200) -> tuple[Examples, str]:
    """Return pairs that a translator did not learn from, and what to call them.

    Args:
        run: a run of `seqnets train translator`.
        file: other pairs, in a file as for training; those of the run's validation split if None.
        most: how many are taken, the first ones.

    Returns:
        Examples with the columns `source` and `target`.

    Raises:
        UserError: they cannot be read, or the run holds none out.
    """
    from seqnets.data.examples.pairs import read_pairs
    from seqnets.tasks.translator import RECIPE, pairs_of

    config = RECIPE.settings_of(run)
    if file is not None:
        return _encoded(run.model, read_pairs([file])[:most], config.data.max_length), file
    vocabularies = (run.model.source, run.model.vocabulary)
    return held_out_of(run, pair_examples(pairs_of(config), config.data, extends=vocabularies)[1], most)


def _encoded(model: Any, pairs: Sequence[tuple[str, str]], width: int) -> Examples:
    target = model.vocabulary
    encoded = [(model.source.encode(source), np.append(target.encode(text), target.end)) for source, text in pairs]
    kept = [(source, text) for source, text in encoded if 0 < len(source) <= width]
    if not kept:
        raise UserError(f"every source is empty or longer than data.max_length of the run ({width}); give shorter ones")
    sources = text_column([source for source, _ in kept], width, model.source.pad)
    return Examples({"source": sources, "target": text_column([text for _, text in kept], width + 1, target.pad)})


@dataclass(frozen=True, eq=False)
class Translated:
    """A held-out source and what a translator makes of it.

    Attributes:
        source: its text.
        pieces: the tokens of the source.
        target: what it should become.
        found: translations by name of the way in which they were found; of each, the best first.
    """

    source: str
    pieces: list[str]
    target: str
    found: Mapping[str, Sequence[Caption]]

    @cached_property
    def best(self) -> Caption:
        """The best translation of the first way."""
        return next(iter(self.found.values()))[0]

    @property
    def is_right(self) -> bool:
        """Whether the best translation is the target, letter by letter."""
        return self.best.text == self.target


def translated(model: Any, examples: Examples, ways: dict[str, dict[str, Any]]) -> list[Translated]:
    """Return translations of pairs.

    Args:
        model: a `Translator`.
        examples: pairs.
        ways: the settings of `seqnets.decode.captions.decoding.decode_captions` for each way, by its name.
    """
    from seqnets.decode.translation import translate_tokens

    sources, targets = (column(examples, name).sequences for name in ("source", "target"))
    rows = range(len(examples))
    longest = max(8, 2 * int(targets.lengths.max()))
    asked = [np.asarray(sources[row]) for row in rows]
    found = {name: translate_tokens(model, asked, **{"max_length": longest, **way}) for name, way in ways.items()}
    return [
        Translated(
            model.source.decode(sources[row]),
            model.source.pieces(sources[row]),
            model.vocabulary.decode(targets[row]),
            {name: list_[row] for name, list_ in found.items()},
        )
        for row in rows
    ]
