"""How captions are searched or drawn."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from seqnets import settings
from seqnets.decode.filters import FilterConfig, Filters, filters_of
from seqnets.errors import UserError

if TYPE_CHECKING:
    from seqnets.decode.captions.rules import CaptionRules

CaptionMethod = Literal["beam", "greedy", "sample"]
WORDS, LETTERS = 20, 150  # the default greatest length


@dataclass(frozen=True)
class CaptionConfig(FilterConfig):
    """How captions are searched or drawn.

    Raises:
        UserError: a setting is out of its range.

    Example:
        >>> CaptionConfig(beam=3, n_best=5)
        Traceback (most recent call last):
        ...
        seqnets.errors.UserError: a beam of 3 finds 3 captions at most, fewer than n_best 5; widen it
    """

    method: CaptionMethod = "beam"
    """Search the likeliest caption (beam), take the likeliest word each time (greedy), or draw (sample)."""
    beam: Annotated[int, settings.POSITIVE] = 5
    """Captions that the search keeps open."""
    n_best: Annotated[int, settings.POSITIVE] = 1
    """Captions per image: the best first, or in the order of drawing."""
    max_length: Annotated[int, settings.NOT_NEGATIVE] = 0
    """The most words (or characters) in a caption; 0 for 20 words or 150 characters."""
    min_length: Annotated[int, settings.NOT_NEGATIVE] = 1
    """The fewest words in a caption."""
    length_penalty: Annotated[float, settings.NOT_NEGATIVE] = 0.7
    """Power of the length penalty of the beam search; 0 favors short captions."""
    allow_unknown: bool = False
    """Allow the token for unknown words in a caption."""
    attention: bool = True
    """Keep the attention maps."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.method == "beam" and self.n_best > self.beam:
            raise UserError(
                f"a beam of {self.beam} finds {self.beam} captions at most, fewer than n_best {self.n_best}; widen it"
            )
        if self.method == "greedy" and self.n_best > 1:
            raise UserError(f"greedy decoding gives one caption, not n_best {self.n_best}; use a beam, or draw samples")
        if 0 < self.max_length < self.min_length:
            raise UserError(f"min_length {self.min_length} is beyond max_length {self.max_length}; lower it")

    def rules(self, vocabulary: Any) -> "CaptionRules":
        """Return the settings that the loops are compiled for."""
        from seqnets.decode.captions.rules import CaptionRules  # imported here, so that settings can be read without JAX

        length = self.max_length or max(self.min_length, WORDS if vocabulary.kind == "words" else LETTERS)
        signs = (vocabulary.pad, vocabulary.begin, *(() if self.allow_unknown else (vocabulary.unknown,)))
        width = {"beam": self.beam, "greedy": 1, "sample": self.n_best}[self.method]
        shape = (length, self.min_length, signs, width, self.n_best, self.attention, self.looks_back)
        return CaptionRules(vocabulary.begin, vocabulary.end, *shape)

    def filters(self) -> Filters | None:
        """Return the filters applied to logits before drawing; None where nothing is drawn."""
        if self.method != "sample":
            return None
        return filters_of(self)
