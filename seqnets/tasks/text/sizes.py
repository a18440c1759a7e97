"""Sizes of character models, and the settings that fit a text and the time for it.

The rules come from measurements on real texts, which `scripts/compare_sizes.py` repeats and docs/text.md shows.
"""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

from seqnets.models.char_lm_config import CharLMConfig

SizeName = Literal["auto", "tiny", "small", "medium", "large"]
Sections = dict[str, dict[str, Any]]

MOST_PASSES = 40  # over the same text: more do not help, even with dropout
_READ_PER_PARAMETER = 4.0  # characters: with fewer, a smaller model is better after the same time
# passes up to which these rates hold: dropout of the outputs, and of the recurrent weights
_DROPOUT = ((6, 0.0, 0.0), (12, 0.2, 0.0), (20, 0.3, 0.3), (float("inf"), 0.5, 0.3))
_SEVERAL_PASSES, _LONG_TEXT_RATE = 2, 0.5  # the factor of the learning rate where a text is read less often than that
_MOST_ROWS, _LEAST_ROWS, _ROW = 32, 8, 2048  # rows of a batch, and the characters that each should have to itself
_EVALUATIONS, _EVALUATION_SHARE = 10, 0.1  # of the time for training
_EMBEDDING = CharLMConfig.embedding_features


class Size(NamedTuple):
    """The shape of a model, and the learning rate that suits it where a text is read several times."""

    hidden_features: int
    layers: int
    learning_rate: float

    def parameters(self, different: int) -> int:
        """Return the number of parameters of an LSTM of this size for a text with this many different characters.

        Example:
            >>> SIZES["small"].parameters(65)
            349569
        """
        inputs = [_EMBEDDING, *[self.hidden_features] * (self.layers - 1)]
        recurrent = sum(4 * self.hidden_features * (size + self.hidden_features + 1) for size in inputs)
        return different * (_EMBEDDING + self.hidden_features + 1) + recurrent


SIZES = {
    "tiny": Size(128, 1, 1.4e-2),
    "small": Size(256, 1, 1.2e-2),
    "medium": Size(512, 1, 6e-3),
    "large": Size(1024, 1, 3e-3),
}


def largest_fitting(different: int, read: Callable[[Size], float]) -> str:
    """Return the name of the largest size that reads enough characters for its parameters.

    Args:
        different: the number of different characters.
        read: size -> the characters that training reads, those of every pass counted.

    Example:
        >>> largest_fitting(65, lambda size: 1e5), largest_fitting(65, lambda size: 3e6), largest_fitting(65, lambda size: 1e9)
        ('tiny', 'small', 'large')
    """
    enough = [name for name, size in SIZES.items() if read(size) >= _READ_PER_PARAMETER * size.parameters(different)]
    return enough[-1] if enough else next(iter(SIZES))


def settings_of(size: Size, passes: float, characters: int) -> Sections:
    """Return the settings of a size, by section.

    Args:
        size: the size.
        passes: how often training reads the text.
        characters: the length of the text.

    Example:
        >>> settings_of(SIZES["tiny"], passes=30, characters=18_000)["model"]["dropout"]
        0.5
    """
    dropout, of_weights = next(rates for most, *rates in _DROPOUT if passes <= most)
    rows = max(_LEAST_ROWS, min(_MOST_ROWS, characters // _ROW))
    rate = size.learning_rate * (_LONG_TEXT_RATE if passes < _SEVERAL_PASSES else 1)
    shape = {"hidden_features": size.hidden_features, "layers": size.layers}
    return {
        "model": {**shape, "dropout": dropout, "weight_dropout": of_weights},
        "train": {"learning_rate": rate, "batch_size": rows, "beta2": 0.99, "clip_norm": 1.0},
    }


def schedule_of(seconds: float, step: float, evaluation: float, most: int) -> Sections:
    """Return the settings of a training that fits a time.

    Args:
        seconds: the time for training and validation.
        step: seconds of a step.
        evaluation: seconds of a pass over the validation split.
        most: steps that are never exceeded.

    Example:
        >>> schedule_of(seconds=110, step=0.05, evaluation=1.0, most=10_000)["train"]["steps"]
        2000
    """
    count = max(1, min(_EVALUATIONS, int(_EVALUATION_SHARE * seconds / max(evaluation, 1e-9))))
    left = max(seconds / 2, seconds - count * evaluation)  # a validation that takes longer than training does not stop it
    steps = max(1, min(most, int(left / step)))
    each = -(-steps // count)
    frequent = {"evaluate_every": each, "save_every": each, "log_every": max(1, steps // 100)}
    return {"train": {"steps": steps, "warmup_steps": steps // 50, **frequent}}
