"""How captions are searched or drawn."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from seqnets import settings
from seqnets.errors import UserError

if TYPE_CHECKING:
    from seqnets.decode.captions.rules import CaptionRules
    from seqnets.decode.filters import Filters

CaptionMethod = Literal["beam", "greedy", "sample"]
WORDS, LETTERS = 20, 150  # the default greatest length


@dataclass(frozen=True)
class CaptionConfig:
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
    beam: int = 5
    """Captions that the search keeps open."""
    n_best: int = 1
    """Captions per image: the best first, or in the order of drawing."""
    max_length: int = 0
    """The most words (or characters) in a caption; 0 for 20 words or 150 characters."""
    min_length: int = 1
    """The fewest words in a caption."""
    length_penalty: float = 0.7
    """Power of the length penalty of the beam search; 0 favors short captions."""
    temperature: float = 1.0
    """Divides the logits that are drawn from; 0 is greedy."""
    top_k: int | None = None
    """Draw only from the k likeliest words."""
    top_p: float | None = None
    """Draw from the fewest likeliest words whose total probability reaches this value."""
    min_p: float | None = None
    """Draw from words with at least this fraction of the likeliest word's probability."""
    allow_unknown: bool = False
    """Allow the token for unknown words in a caption."""
    attention: bool = True
    """Keep the attention maps."""

    def __post_init__(self) -> None:
        share = settings.Range(above=0, most=1)
        not_negative = ("max_length", "min_length", "length_penalty", "temperature")
        settings.settle(
            self,
            **dict.fromkeys(("beam", "n_best", "top_k"), settings.POSITIVE),
            **dict.fromkeys(not_negative, settings.NOT_NEGATIVE),
            **dict.fromkeys(("top_p", "min_p"), share),
        )
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
        return CaptionRules(vocabulary.begin, vocabulary.end, length, self.min_length, signs, width, self.n_best, self.attention)

    def filters(self) -> "Filters | None":
        """Return the filters applied to logits before drawing; None where nothing is drawn."""
        if self.method != "sample":
            return None
        from seqnets.decode.filters import filters_of

        return filters_of(self)


def configured(config: CaptionConfig, overrides: dict[str, Any]) -> CaptionConfig:
    """Return a configuration with single settings replaced.

    Raises:
        UserError: there is no such setting.
    """
    unknown = sorted(set(overrides) - set(CaptionConfig.__dataclass_fields__))
    if unknown:
        raise UserError(f"captioning has no setting {unknown[0]!r}; it has {', '.join(CaptionConfig.__dataclass_fields__)}")
    return replace(config, **overrides)
