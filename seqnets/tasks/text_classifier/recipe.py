"""`seqnets train text-classifier`: a model that tells the class of a text."""

from collections.abc import Callable

from flax import nnx

from seqnets.data.demo.python_source import library_lines
from seqnets.data.examples.labeled_texts import read_labeled_texts
from seqnets.data.examples.texts import text_examples
from seqnets.models.sequence.text_classifier import TextClassifier
from seqnets.run import Run
from seqnets.tasks import recipe
from seqnets.tasks.text_classifier.config import TextClassifierRunConfig
from seqnets.tasks.text_classifier.task import TextClassifierTask

LINES_PER_CLASS = 8000


def make_task(config: TextClassifierRunConfig, tell: Callable[[str], None]) -> TextClassifierTask:
    """Read the texts and make the model."""
    texts, labels = read_labeled_texts(config.texts, config.data, tell=tell) if config.texts else library_lines(LINES_PER_CLASS)
    vocabulary, names, splits = text_examples(texts, labels, config.data)
    tell(f"{recipe.counted(splits, 'texts')}, {vocabulary}, {len(names)} labels: {', '.join(names)[:200]}")
    model = TextClassifier(vocabulary, names, config.model, rngs=nnx.Rngs(config.train.seed))
    return TextClassifierTask(model, splits)


def closing(run: Run, config: TextClassifierRunConfig) -> str:
    """Return the validation figures and the next commands."""
    example = "a text of your own" if config.texts else "return the number of bytes"
    return recipe.last_words(
        run, "accuracy macro_f1", [f"seqnets predict {{run}} --text '{example}'", "seqnets predict {run} FILE"]
    )
