"""`seqnets train translator`: a model that writes a text out of another."""

from collections.abc import Callable

from flax import nnx

from seqnets.data.demo.dates import dates
from seqnets.data.examples.pairs import pair_examples, read_pairs
from seqnets.models.sequence.translator import Translator
from seqnets.run import Run
from seqnets.tasks import recipe
from seqnets.tasks.translator.config import TranslatorRunConfig
from seqnets.tasks.translator.task import TranslatorTask

DATES = 20_000


def make_task(config: TranslatorRunConfig, tell: Callable[[str], None]) -> TranslatorTask:
    """Read the pairs and make the model."""
    pairs = read_pairs(config.pairs, tell=tell) if config.pairs else dates(DATES)
    (source, target), splits, left_out = pair_examples(pairs, config.data)
    longer = f"; {left_out:,} empty or longer than {config.data.max_length} are left out" if left_out else ""
    tell(f"{recipe.counted(splits, 'pairs')}{longer}, {source} in sources, {target} in targets")
    return TranslatorTask(Translator(source, target, config.model, rngs=nnx.Rngs(config.train.seed)), splits)


def closing(run: Run, config: TranslatorRunConfig) -> str:
    """Return the validation figures and the next commands."""
    example = "a text of your own" if config.pairs else "the 3rd of May 2031"
    commands = [f"seqnets predict {{run}} --text '{example}'", "seqnets predict {run} FILE"]
    return recipe.last_words(run, "nats exact_match bleu4", commands, choose=min)
