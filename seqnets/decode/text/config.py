"""The settings of sampling and of dynamic evaluation."""

from dataclasses import dataclass
from typing import Annotated, Literal

from seqnets import settings
from seqnets.data.token_kinds import UnknownPolicy

MANY = settings.Range(least=1, most=1 << 16)  # the most texts, beams or parts that run side by side


@dataclass(frozen=True)
class SamplingConfig:
    """How to draw characters, and when to stop.

    Raises:
        UserError: a setting is out of its range.

    Example:
        >>> SamplingConfig(temperature=0.8, top_p=0.9).length
        400
    """

    length: Annotated[int, settings.NOT_NEGATIVE] = 400
    """The number of new characters. A model of bytes continues until this many characters are complete."""
    temperature: Annotated[float, settings.NOT_NEGATIVE] = 1.0
    """Divides the logits: below 1 is safer, above 1 is wilder, 0 always takes the likeliest character."""
    top_k: Annotated[int | None, settings.POSITIVE] = None
    """Draw only from the k likeliest characters."""
    top_p: Annotated[float | None, settings.SHARE_ABOVE_ZERO] = None
    """Draw from the fewest characters whose probability reaches p (nucleus sampling), 0 < p <= 1."""
    min_p: Annotated[float | None, settings.SHARE_ABOVE_ZERO] = None
    """Draw from the characters with at least p times the likeliest character's probability, 0 < p <= 1."""
    repetition_penalty: Annotated[float | None, settings.ABOVE_ZERO] = None
    """Divide positive logits of recent characters by this, multiply negative ones; above 1 discourages repetition."""
    repetition_window: Annotated[int, settings.Range(least=1, most=1 << 16)] = 16
    """How many of the last characters, including the prompt's, the penalty considers."""
    stop: tuple[str, ...] | str = ()
    """Stop just before the first of these strings, or before this one; it is not part of the text."""
    unknown: UnknownPolicy = "error"
    """What to do with characters of the prompt that the vocabulary lacks."""

    def __post_init__(self) -> None:
        settings.settle(self)
        if isinstance(self.stop, str):
            object.__setattr__(self, "stop", (self.stop,))


@dataclass(frozen=True)
class DynamicConfig:
    """How a model adapts to the text it is scored on.

    Raises:
        UserError: a setting is out of its range.

    Example:
        >>> DynamicConfig(rule="sgd", learning_rate=0.1).segment
        32
    """

    rule: Literal["rms", "sgd"] = "rms"
    """Scale each gradient by its root mean square so far, or use it as it is."""
    learning_rate: Annotated[float, settings.NOT_NEGATIVE] = 5e-4
    """Step size; about 5e-4 for "rms" and 0.1 for "sgd"."""
    decay: Annotated[float, settings.NOT_NEGATIVE] = 3e-3
    """How far the parameters move back toward the trained ones after each segment, as a fraction."""
    segment: Annotated[int, settings.POSITIVE] = 32
    """The number of characters that are scored before the model learns from them."""
    epsilon: Annotated[float, settings.Range(least=1e-30)] = 1e-5
    """Added to the root mean square."""

    def __post_init__(self) -> None:
        settings.settle(self)
