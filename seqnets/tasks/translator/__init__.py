"""`seqnets train translator`: a model that turns one text into another."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from seqnets.data.examples.config import SequenceConfig
from seqnets.models.sequence.config import TranslatorConfig
from seqnets.tasks.recipe import Recipe, Tell, counted, predictions
from seqnets.train.config import TrainConfig

if TYPE_CHECKING:
    from seqnets.tasks.start import Start
    from seqnets.tasks.translator.task import TranslatorTask


@dataclass(frozen=True)
class TranslatorRunConfig:
    """A translator and the pairs it learns from.

    Example:
        >>> TranslatorRunConfig(pairs=("english-german.tsv",)).model.attention
        'additive'
    """

    task: Literal["translator"] = "translator"
    """The task."""
    from_run: str = ""
    """The run whose weights to begin with: its folder or name; empty for random weights."""
    pairs: tuple[str, ...] = ()
    """Files of sources and targets; none for dates in many forms, to be written in ISO 8601."""
    data: SequenceConfig = field(default_factory=SequenceConfig)
    """How the pairs are encoded and split."""
    model: TranslatorConfig = field(default_factory=TranslatorConfig)
    """The shape of the model."""
    train: TrainConfig = field(default_factory=TrainConfig)
    """The training."""


DATES = 20_000


def make(config: TranslatorRunConfig, tell: Tell, start: "Start | None" = None) -> "TranslatorTask":
    """Read the pairs and make the model."""
    from flax import nnx

    from seqnets.data.examples.pairs import pair_examples
    from seqnets.models.sequence.translator import Translator
    from seqnets.tasks.translator.task import TranslatorTask

    pairs = pairs_of(config, tell)
    extends = (start.model.source, start.vocabulary) if start else (None, None)
    (source, target), splits, left_out = pair_examples(pairs, config.data, extends=extends)
    longer = f"; {left_out:,} empty or longer than {config.data.max_length} are left out" if left_out else ""
    tell(f"{counted(splits, 'pairs')}{longer}, {source} in sources, {target} in targets")
    if start:
        model = start.grown(config.model, tell, rngs=nnx.Rngs(config.train.seed), source=source, vocabulary=target)
    else:
        model = Translator(source, target, config.model, rngs=nnx.Rngs(config.train.seed))
    return TranslatorTask(model, splits)


def pairs_of(config: TranslatorRunConfig, tell: Tell | None = None) -> list[tuple[str, str]]:
    """Read the sources and their targets."""
    from seqnets.data.demo.dates import dates
    from seqnets.data.examples.pairs import read_pairs

    return read_pairs(config.pairs, tell=tell) if config.pairs else dates(DATES)


RECIPE = Recipe.of_files(
    "pairs",
    help="files of a source, a tab and its target on each line, or tables (.csv, .jsonl) with the columns source and "
    "target; none for dates as people write them, to be written in ISO 8601",
    config=TranslatorRunConfig,
    without="dates",
    suffix="-translator",
    make=make,
    commands=lambda config: predictions(config.pairs, "the 3rd of May 2031"),
    figures="exact_match bleu4",
    of_vocabulary={"vocabulary": "unit"},
)
