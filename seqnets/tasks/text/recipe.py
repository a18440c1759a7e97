"""`seqnets train text`: a character model of any text."""

import shlex
from collections.abc import Callable

import jax
from flax import nnx

from seqnets.data import read_text
from seqnets.data.text.normal_form import spelled_twice
from seqnets.decode import sample
from seqnets.models import CharLM
from seqnets.ops.native import build
from seqnets.run import Run
from seqnets.tasks import CharLMTask
from seqnets.tasks.text.config import TextRunConfig
from seqnets.tasks.text.reading import reading

MOST_DIVIDED_UNITS = 256  # beyond, each device packs a recurrent kernel larger than its cache anew at every step
SAMPLE_CHARACTERS = 500
PYTHON_OPENING = "import os\n\n\ndef "  # a bare "def " does not look like the beginning of a file to the model


def prefers_mesh(config: TextRunConfig) -> bool:
    """Say whether a CPU device for each core is faster than one for all: with the portable backend and layers not too large.

    Example:
        >>> from seqnets.models import CharLMConfig
        >>> prefers_mesh(TextRunConfig(model=CharLMConfig(hidden_features=512, backend="scan")))
        False
    """
    is_portable = config.model.backend != "native" and (config.model.backend != "auto" or build.library() is None)
    return is_portable and config.model.hidden_features <= MOST_DIVIDED_UNITS


def make_task(config: TextRunConfig, tell: Callable[[str], None]) -> CharLMTask:
    """Read the text and make the model."""
    with reading() as progress:
        corpus = read_text(*config.corpus, config=config.data, progress=progress)
    parts = ", ".join(f"{len(stream):,} for {name}" for name, stream in corpus.splits.items())
    tell(f"{_source(config)}: {len(corpus):,} characters ({parts}), {len(corpus.vocabulary)} different")
    twice = spelled_twice(corpus.vocabulary.characters)
    if twice:
        tell(f"the text has {twice!r} and also its parts, so that one letter may have two spellings: see --data.normalize nfc")
    model = CharLM(corpus.vocabulary, config.model, rngs=nnx.Rngs(config.train.seed))
    return CharLMTask(model, corpus, window=config.data.window)


def closing(run: Run, config: TextRunConfig) -> str:
    """Return the validation figure, a sample and the next commands."""
    opening = "" if config.corpus else PYTHON_OPENING
    key = jax.random.key(config.train.seed)
    separator = tuple(run.vocabulary.encode(config.data.separator_text).tolist())
    text = opening + sample(run.model, opening, length=SAMPLE_CHARACTERS, temperature=0.7, key=key, separator=separator)
    folder = shlex.quote(str(run.directory))
    commands = (
        f"seqnets sample {folder} --length 1000 --temperature 0.7" + ("" if config.corpus else " --prompt 'import '"),
        f"seqnets evaluate {folder} FILE",
    )
    return "\n".join([_rule("a sample"), text, _rule("the end"), *_figures(run), *(f"  {command}" for command in commands)])


def _figures(run: Run) -> list[str]:
    lines = [line for line in run.metrics if line.get("validation_nats") is not None]
    if not lines:
        return [f"the run is in {run.directory}; now try"]
    best = min(lines, key=lambda line: line["validation_nats"])
    nats, bits = best["validation_nats"], best["validation_bits_per_char"]
    return [
        f"validation: {nats:.4f} nats = {bits:.4f} bits per character, exact, at step {best['step']:,}",
        f"the run is in {run.directory}; now try",
    ]


def _rule(title: str) -> str:
    return f"---- {title} ".ljust(72, "-")


def _source(config: TextRunConfig) -> str:
    if not config.corpus:
        return "the source of Python's standard library"
    return config.corpus[0] if len(config.corpus) == 1 else f"{config.corpus[0]} and {len(config.corpus) - 1} more"
