"""`seqnets train translator`: a model that writes a text out of another."""

from argparse import ArgumentParser
from collections.abc import Callable, Mapping
from typing import Any

from flax import nnx

from seqnets import settings
from seqnets.data.demo.dates import dates
from seqnets.data.examples.pairs import pair_examples, read_pairs
from seqnets.models.sequence.translator import Translator
from seqnets.run import Run
from seqnets.tasks import recipe
from seqnets.tasks.translator.config import TranslatorRunConfig
from seqnets.tasks.translator.task import TranslatorTask

USAGE = "FILE ..."
DATES = 20_000


def default() -> TranslatorRunConfig:
    """Return the settings when nothing is said.

    Example:
        >>> default().model.attention
        'additive'
    """
    return recipe.packaged("translator", TranslatorRunConfig())


def add_arguments(parser: ArgumentParser) -> None:
    """Add the words that name the pairs."""
    parser.add_argument(
        "pairs",
        nargs="*",
        metavar="FILE",
        help="files of a source, a tab and its target on each line, or tables (.csv, .jsonl) with the columns source and "
        "target; none for dates as people write them, to be written in ISO 8601",
    )


def given(found: Any) -> Mapping[str, Any]:
    """Return the words that name the pairs as settings."""
    return {"pairs": found.pairs} if found.pairs else {}


def run_name(config: TranslatorRunConfig) -> str:
    """Return what to call the run's folder.

    Example:
        >>> run_name(TranslatorRunConfig())
        'dates-translator'
    """
    return f"{recipe.named_after(config.pairs, 'dates')}-translator"


def make_task(config: TranslatorRunConfig, tell: Callable[[str], None]) -> TranslatorTask:
    """Read the pairs and make the model."""
    pairs = read_pairs(config.pairs) if config.pairs else dates(DATES)
    (source, target), splits, left_out = pair_examples(pairs, config.data)
    longer = f"; {left_out:,} empty or longer than {config.data.max_length} are left out" if left_out else ""
    tell(f"{recipe.counted(splits, 'pairs')}{longer}, {source} in sources, {target} in targets")
    return TranslatorTask(Translator(source, target, config.model, rngs=nnx.Rngs(config.train.seed)), splits)


def resolved(config: TranslatorRunConfig) -> TranslatorRunConfig:
    """Return the settings as they mean the same from any folder."""
    return settings.replaced(config, {"pairs": recipe.absolute(config.pairs)})


def closing(run: Run, config: TranslatorRunConfig) -> str:
    """Return the validation figures and the next commands."""
    example = "a text of your own" if config.pairs else "the 3rd of May 2031"
    commands = [f"seqnets predict {{run}} --text '{example}'", "seqnets predict {run} FILE"]
    return recipe.last_words(run, "nats exact_match bleu4", commands, choose=min)
