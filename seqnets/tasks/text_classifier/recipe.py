"""`seqnets train text-classifier`: a model that tells the class of a text."""

from argparse import ArgumentParser
from collections.abc import Callable, Mapping
from typing import Any

from flax import nnx

from seqnets import settings
from seqnets.data.demo.python_source import library_lines
from seqnets.data.examples.labelled_texts import read_labelled_texts
from seqnets.data.examples.texts import text_examples
from seqnets.models.sequence.text_classifier import TextClassifier
from seqnets.run import Run
from seqnets.tasks import recipe
from seqnets.tasks.text_classifier.config import TextClassifierRunConfig
from seqnets.tasks.text_classifier.task import TextClassifierTask

USAGE = "FILE ..."
LINES_PER_CLASS = 8000


def default() -> TextClassifierRunConfig:
    """Return the settings when nothing is said.

    Example:
        >>> default().model.cell
        'gru'
    """
    return recipe.packaged("text_classifier", TextClassifierRunConfig())


def add_arguments(parser: ArgumentParser) -> None:
    """Add the words that name the texts."""
    parser.add_argument(
        "texts",
        nargs="*",
        metavar="FILE",
        help="a table (.csv, .tsv, .jsonl) with the columns text and label, a folder with a folder for each label, or a file "
        "of lines for each label; none for lines of Python's standard library: code, comment or documentation?",
    )


def given(found: Any) -> Mapping[str, Any]:
    """Return the words that name the texts as settings."""
    return {"texts": found.texts} if found.texts else {}


def run_name(config: TextClassifierRunConfig) -> str:
    """Return what to call the run's folder.

    Example:
        >>> run_name(TextClassifierRunConfig(texts=("reviews.csv",)))
        'reviews-classifier'
    """
    return f"{recipe.named_after(config.texts, 'python-lines')}-classifier"


def make_task(config: TextClassifierRunConfig, tell: Callable[[str], None]) -> TextClassifierTask:
    """Read the texts and make the model."""
    texts, labels = read_labelled_texts(config.texts, config.data) if config.texts else library_lines(LINES_PER_CLASS)
    vocabulary, names, splits = text_examples(texts, labels, config.data)
    tell(f"{recipe.counted(splits, 'texts')}, {vocabulary}, {len(names)} labels: {', '.join(names)[:200]}")
    model = TextClassifier(vocabulary, names, config.model, rngs=nnx.Rngs(config.train.seed))
    return TextClassifierTask(model, splits)


def resolved(config: TextClassifierRunConfig) -> TextClassifierRunConfig:
    """Return the settings as they mean the same from any folder."""
    return settings.replaced(config, {"texts": recipe.absolute(config.texts)})


def closing(run: Run, config: TextClassifierRunConfig) -> str:
    """Return the validation figures and the next commands."""
    example = "a text of your own" if config.texts else "return the number of bytes"
    return recipe.last_words(
        run, "accuracy macro_f1", [f"seqnets predict {{run}} --text '{example}'", "seqnets predict {run} FILE"]
    )
