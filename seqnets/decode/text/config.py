"""How text is drawn, and how a model adapts to the text that it is scored on."""

from dataclasses import dataclass
from typing import Literal

from seqnets import settings
from seqnets.data.token_kinds import UnknownPolicy

MANY = settings.Range(least=1, most=1 << 16)  # texts, beams or parts that run side by side


@dataclass(frozen=True)
class SamplingConfig:
    """How to draw characters, and when to end.

    Raises:
        UserError: a setting is out of its range.

    Example:
        >>> SamplingConfig(temperature=0.8, top_p=0.9).length
        400
    """

    length: int = 400
    """New characters. A model of bytes goes on until that many characters are whole."""
    temperature: float = 1.0
    """Divides the logits: below 1 safer, above 1 wilder, 0 always the likeliest character."""
    top_k: int | None = None
    """Draw from the k likeliest characters only."""
    top_p: float | None = None
    """Draw from the fewest characters whose probability reaches p (nucleus sampling), 0 < p <= 1."""
    min_p: float | None = None
    """Draw from the characters at least p times as likely as the likeliest, 0 < p <= 1."""
    repetition_penalty: float | None = None
    """Divide the positive logits of recent characters by this and multiply the negative ones; above 1 discourages."""
    repetition_window: int = 16
    """How many of the last characters, the prompt's included, the penalty looks at."""
    stop: tuple[str, ...] = ()
    """End just before the first of these strings; it is not part of the text."""
    unknown: UnknownPolicy = "error"
    """What to do with characters of the prompt that the vocabulary lacks."""

    def __post_init__(self) -> None:
        if isinstance(self.stop, str):
            object.__setattr__(self, "stop", (self.stop,))
        share = settings.Range(above=0, most=1)
        settings.settle(
            self,
            length=settings.NOT_NEGATIVE,
            temperature=settings.NOT_NEGATIVE,
            top_k=settings.POSITIVE,
            top_p=share,
            min_p=share,
            repetition_penalty=settings.ABOVE_ZERO,
            repetition_window=settings.Range(least=1, most=1 << 16),
        )


@dataclass(frozen=True)
class DynamicConfig:
    """How a model adapts.

    Raises:
        UserError: a setting is out of its range.

    Example:
        >>> DynamicConfig(rule="sgd", learning_rate=0.1).segment
        32
    """

    rule: Literal["rms", "sgd"] = "rms"
    """Scale each gradient by its root mean square so far, or use it as it is."""
    learning_rate: float = 5e-4
    """Step size; about 5e-4 for "rms" and 0.1 for "sgd"."""
    decay: float = 3e-3
    """Share of the way back to the trained parameters that is gone after each segment."""
    segment: int = 32
    """Characters that are scored before the model learns from them."""
    epsilon: float = 1e-5
    """Added to the root mean square."""

    def __post_init__(self) -> None:
        settings.settle(
            self,
            learning_rate=settings.NOT_NEGATIVE,
            decay=settings.NOT_NEGATIVE,
            segment=settings.POSITIVE,
            epsilon=settings.Range(least=1e-30),
        )
