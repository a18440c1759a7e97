"""Decides how large a character model is and how long it trains, before its training begins."""

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import jax
from flax import nnx

from seqnets import settings
from seqnets.data.text.corpus import Corpus
from seqnets.errors import UserError
from seqnets.models.char_lm import CharLM
from seqnets.nn.cells import KINDS
from seqnets.tasks.recipe import Tell
from seqnets.tasks.text.sizes import MOST_PASSES, SIZES, Sections, Size, largest_fitting, schedule_of, settings_of
from seqnets.tasks.text.task import CharLMTask
from seqnets.train.pace import operations_per_second, pace_of

if TYPE_CHECKING:
    from seqnets.tasks.start import Start
    from seqnets.tasks.text import TextRunConfig

MINUTES = 2.0
_OPERATIONS = 6  # for a weight and a character: an addition and a multiplication forward, two of each backward
_SHARE = 0.4  # of the speed of a large matrix product: what training reaches
_SCORING = 0.5  # of the time of training on a text: what validation on it takes
_BESIDE_S = 3.0  # the measurement, the last checkpoint, the card and the sample


def begin(
    config: "TextRunConfig", given: Mapping[str, Any], corpus: Corpus, tell: Tell, start: "Start | None" = None
) -> "tuple[TextRunConfig, CharLMTask]":
    """Return the settings, with a size and a length that fit the text, the machine and the time, and the task.

    Args:
        config: the settings; `size` says which size.
        given: the settings that were given, by section, and stay as they are; `minutes` says how long to train.
        corpus: the text.
        tell: called with one sentence about what was chosen.
        start: the run whose model to begin with.

    Raises:
        UserError: several processes train together: each would measure another speed.
    """
    if jax.process_count() > 1:
        return _together(config, given), task_of(config, corpus, tell, start)
    began = time.monotonic()
    steps = given.get("train", {}).get("steps")
    minutes = None if steps else given.get("minutes") or MINUTES
    if config.size is not None or "model" not in given:
        config = _sized(config, given, corpus, steps, (minutes or 0) * 60)
    task = task_of(config, corpus, tell, start)
    config = settings.replaced(config, {"minutes": minutes or given.get("minutes")})
    if minutes:
        config = _timed(config, given, task, minutes * 60 - (time.monotonic() - began))
    tell(_sentence(config, len(corpus.train)))
    return config, task


def task_of(config: "TextRunConfig", corpus: Corpus, tell: Tell = print, start: "Start | None" = None) -> CharLMTask:
    """Return the task with a fresh model, or with that of another run."""
    rngs = nnx.Rngs(config.train.seed)
    if start:
        model = start.grown(config.model, tell, rngs=rngs, vocabulary=corpus.vocabulary)
    else:
        model = CharLM(corpus.vocabulary, config.model, rngs=rngs)
    return CharLMTask(model, corpus, window=config.data.window)


def _together(config: "TextRunConfig", given: Mapping[str, Any]) -> "TextRunConfig":
    is_open = config.size and "hidden_features" not in given.get("model", {})
    if is_open or (config.minutes and "steps" not in given.get("train", {})):
        raise UserError(
            "--size and --minutes go by the speed of one process; where several train together, give --model.hidden-features and "
            "--train.steps"
        )
    return config


def _sized(
    config: "TextRunConfig", given: Mapping[str, Any], corpus: Corpus, steps: int | None, seconds: float
) -> "TextRunConfig":
    length, different = len(corpus.train), len(corpus.vocabulary)
    speed = 0.0 if steps else _SHARE * operations_per_second() / _OPERATIONS

    def read(size: Size) -> float:
        in_time = seconds * speed / size.parameters(different)
        return min(steps * config.train.batch_size * config.data.window if steps else in_time, MOST_PASSES * length)

    name = config.size if config.size in SIZES else largest_fitting(different, read)
    chosen = settings_of(SIZES[name], read(SIZES[name]) / length, length)
    if KINDS[config.model.cell].module == "minimal":  # such cells have no recurrent weights
        del chosen["model"]["weight_dropout"]
    return settings.replaced(_chosen(config, chosen, given), {"size": name})


def _timed(config: "TextRunConfig", given: Mapping[str, Any], task: CharLMTask, seconds: float) -> "TextRunConfig":
    pace, units = pace_of(task, config.train), task.units_per_step(config.train.batch_size)
    held_out = len(task.corpus.splits.get("validation", ()))
    evaluation = held_out * pace.step / units * _SCORING
    most = -(-MOST_PASSES * len(task.corpus.train) // units)
    left = max(seconds / 2, seconds - 2 * pace.compilation - _BESIDE_S)  # it is compiled for the measurement and for training
    return _chosen(config, schedule_of(left, pace.step, evaluation, most), given)


def _chosen(config: "TextRunConfig", chosen: Sections, given: Mapping[str, Any]) -> "TextRunConfig":
    free = {
        section: {name: value for name, value in values.items() if name not in given.get(section, {})}
        for section, values in chosen.items()
    }
    return settings.replaced(config, free)


def _sentence(config: "TextRunConfig", length: int) -> str:
    model, train = config.model, config.train
    passes = train.steps * train.batch_size * config.data.window / length
    size = f"size {config.size}, " if config.size else ""
    layers = "one layer" if model.layers == 1 else f"{model.layers} layers"
    time_given = f" in {config.minutes:g} minutes" if config.minutes else ""
    length_given = f"{train.steps:,} steps{time_given}, {passes:.3g} passes over the text"
    return f"{size}{layers} of {model.hidden_features} units; {length_given}"
