"""Whole items, such as names, from a character model of items."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import numpy as np

from seqnets import settings
from seqnets.data.text.items import item_hash
from seqnets.decode.given import key_of
from seqnets.decode.text.config import SamplingConfig
from seqnets.decode.text.prompt import Split
from seqnets.decode.text.sampling import stream_many

_ROUND = 64  # items drawn side by side
_TRIES, _TRIES_PER_ITEM = 1024, 32
_LONGEST_CHUNK = 256


@dataclass
class Draws:
    """The draws of `draw_items` so far, by what became of them.

    Args:
        found: those that were returned.
        known: those that are in the training text.
        repeated: those that were drawn before.
        unfinished: those that were empty or not at their end after the most characters.
    """

    found: int = 0
    known: int = 0
    repeated: int = 0
    unfinished: int = 0
    _seen: set[str] = field(default_factory=set, repr=False, init=False)

    def __len__(self) -> int:
        return self.found + self.known + self.repeated + self.unfinished

    def __str__(self) -> str:
        counts = {"in the training text": self.known, "drawn before": self.repeated, "unfinished": self.unfinished}
        return f"of {len(self):,} draws, " + ", ".join(f"{count:,} were {what}" for what, count in counts.items() if count)

    def takes(self, item: str, known: np.ndarray | None, *, whole: bool) -> bool:
        """Count a draw, and return whether it is a new one."""
        if not (whole and item):
            self.unfinished += 1
        elif item in self._seen:
            self.repeated += 1
        elif known is not None and _is_in(known, item_hash(item)):
            self.known += 1
        else:
            self._seen.add(item)
            self.found += 1
            return True
        return False


def draw_items(
    model: Any,
    count: int,
    prompt: str = "",
    *,
    separator: tuple[int, ...],
    known: np.ndarray | None = None,
    key: jax.Array | None = None,
    config: SamplingConfig | None = None,
    draws: Draws | None = None,
) -> Iterator[str]:
    r"""Yield different whole items, each from its beginning to the separator that ends it.

    Item i is drawn with `fold_in(key, i // 64)`, so that fewer items are the first of more. At most max(1024, 32 `count`) are
    drawn, so that fewer than `count` may come; `draws` then says why.

    Args:
        model: a `CharLM` trained on items.
        count: how many.
        prompt: the beginning of every item.
        separator: the tokens that end an item; at least one.
        known: hashes of items to leave out, uint64 in ascending order.
        key: a JAX key; `jax.random.key(0)` by default.
        config: how to draw; `length` is the most characters of an item, without its prompt.
        draws: counts the draws.

    Example:
        >>> from flax import nnx
        >>> from seqnets.data import Vocabulary
        >>> from seqnets.models.char_lm import CharLM
        >>> model = CharLM(Vocabulary.from_text("\nab"), hidden_features=8, rngs=nnx.Rngs(0))
        >>> items = list(draw_items(model, 4, separator=(0,)))
        >>> len(items), len(set(items)), any("\n" in item for item in items)
        (4, 4, False)
    """
    count, draws = settings.whole("count", count), draws if draws is not None else Draws()
    split, key, config = Split.of(model), key_of(key), config or SamplingConfig()
    between = split.vocabulary.decode(separator)
    config = replace(config, stop=(between,))
    chunk = min(_LONGEST_CHUNK, 1 << max(3, (config.length // 2).bit_length()))
    for number in range(-(-max(_TRIES, _TRIES_PER_ITEM * count) // _ROUND)):
        # an item begins after the last token of a separator, as in training
        pieces = stream_many(
            split, between[-1] + prompt, samples=_ROUND, key=jax.random.fold_in(key, number), config=config,
            separator=separator, chunk=chunk,
        )  # fmt: skip
        for rest in map("".join, zip(*pieces)):
            if draws.found == count:
                return
            if draws.takes(prompt + rest, known, whole=len(rest) < config.length):
                yield prompt + rest


def _is_in(known: np.ndarray, number: int) -> bool:
    place = int(np.searchsorted(known, np.uint64(number)))
    return place < len(known) and int(known[place]) == number
