"""The settings of sampling and of dynamic evaluation."""

from dataclasses import dataclass
from typing import Annotated, Literal

from seqnets import settings
from seqnets.data.token_kinds import UnknownPolicy
from seqnets.decode.filters import FilterConfig

MANY = settings.Range(least=1, most=1 << 16)  # the most texts, beams or parts that run side by side


@dataclass(frozen=True)
class SamplingConfig(FilterConfig):
    """How to draw characters, and when to stop.

    Raises:
        UserError: a setting is out of its range.

    Example:
        >>> SamplingConfig(temperature=0.8, top_p=0.9).length
        400
    """

    length: Annotated[int, settings.NOT_NEGATIVE] = 400
    """The number of new characters. A model of bytes continues until this many characters are complete."""
    stop: tuple[str, ...] | str = ()
    """Stop just before the first of these strings, or before this one; it is not part of the text."""
    unknown: UnknownPolicy = "error"
    """What to do with characters of the prompt that the vocabulary lacks."""

    def __post_init__(self) -> None:
        super().__post_init__()
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
