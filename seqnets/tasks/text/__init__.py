"""`seqnets train text`: a character model of any text."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

from seqnets import settings
from seqnets.data.text.config import TextConfig
from seqnets.data.token_kinds import ItemKind
from seqnets.models.char_lm_config import CharLMConfig
from seqnets.tasks.recipe import Recipe, Tell
from seqnets.tasks.text.sizes import SizeName
from seqnets.train.config import TrainConfig

if TYPE_CHECKING:
    from seqnets.data.text.corpus import Corpus
    from seqnets.run import Run
    from seqnets.tasks.start import Start
    from seqnets.tasks.text.task import CharLMTask


@dataclass(frozen=True)
class TextRunConfig:
    r"""A character model and the text it learns from.

    Example:
        >>> from seqnets import settings
        >>> text = '''
        ... corpus = ["hamlet.txt"]
        ... [model]
        ... cell = "gru"
        ... '''
        >>> config = settings.loads(text, TextRunConfig(), "hamlet.toml")
        >>> config.corpus, config.model.cell
        (('hamlet.txt',), 'gru')
        >>> settings.loads(settings.dumps(config), TextRunConfig()) == config
        True
        >>> settings.loads("[model]\nlayer = 2", TextRunConfig(), "hamlet.toml")
        Traceback (most recent call last):
        ...
        seqnets.errors.UserError: hamlet.toml: unknown key 'layer' in [model]; did you mean 'layers'?
    """

    task: Literal["text"] = "text"
    """The task."""
    from_run: str = ""
    """The run whose weights to begin with: its folder or name; empty for random weights."""
    corpus: tuple[str, ...] = ()
    """Files, folders, globs, or "-" for standard input; none for the source of Python's standard library."""
    size: SizeName | None = None
    """The size of the model: auto (by text, machine and time), tiny, small, medium or large; none for that in [model]."""
    minutes: Annotated[float | None, settings.ABOVE_ZERO] = None
    """The time for training; none for that of train.steps."""
    data: TextConfig = field(default_factory=TextConfig)
    """How the text is read, encoded and split."""
    model: CharLMConfig = field(default_factory=CharLMConfig)
    """The shape of the model."""
    train: TrainConfig = field(default_factory=TrainConfig)
    """The training."""

    def __post_init__(self) -> None:
        settings.settle(self)


MOST_DIVIDED_UNITS = 256  # beyond this size, each device would pack a kernel larger than its cache again at every step
SAMPLE_CHARACTERS = 500
PYTHON_OPENING = "import os\n\n\ndef "  # to the model, a bare "def " does not look like the beginning of a file


def prefers_mesh(config: TextRunConfig) -> bool:
    """Return whether one CPU device per core is faster than one for all cores: with the portable backend and small layers.

    Example:
        >>> from seqnets.models import CharLMConfig
        >>> prefers_mesh(TextRunConfig(model=CharLMConfig(hidden_features=512, backend="scan")))
        False
    """
    from seqnets.ops.native import build

    is_portable = config.model.backend != "native" and (config.model.backend != "auto" or build.library() is None)
    return is_portable and config.model.hidden_features <= MOST_DIVIDED_UNITS


def make(config: TextRunConfig, tell: Tell, start: "Start | None" = None) -> "CharLMTask":
    """Read the text and make the model."""
    from seqnets.tasks.text.plan import task_of

    return task_of(config, _read(config, tell, start), tell, start)


def leaves_open(config: TextRunConfig, given: Mapping[str, Any]) -> bool:
    """Return whether the size or the length is to be chosen: if they are asked for, or nothing of the model is given.

    Example:
        >>> leaves_open(TextRunConfig(), {}), leaves_open(TextRunConfig(), {"model": {"layers": 2}})
        (True, False)
    """
    return config.size is not None or config.minutes is not None or "model" not in given


def begin(
    config: TextRunConfig, given: Mapping[str, Any], tell: Tell, start: "Start | None" = None
) -> "tuple[TextRunConfig, CharLMTask]":
    """Read the text, choose what is left open, and make the model."""
    from seqnets.tasks.text import plan

    return plan.begin(config, given, _read(config, tell, start), tell, start)


def _read(config: TextRunConfig, tell: Tell, start: "Start | None") -> "Corpus":
    from seqnets.data import Vocabulary, read_text
    from seqnets.data.text.normal_form import spelled_twice
    from seqnets.tasks.text.reading import reading

    with reading() as progress:
        extends = start.vocabulary if start else None
        corpus = read_text(*config.corpus, config=config.data, extends=extends, progress=progress)
    parts = ", ".join(f"{len(stream):,} for {name}" for name, stream in corpus.splits.items())
    items = f"{len(corpus.items):,} items, {len(corpus.items.known):,} of them different; " if corpus.items else ""
    if isinstance(corpus.vocabulary, Vocabulary):
        what, twice = f"characters ({parts}), {len(corpus.vocabulary)} different", spelled_twice(corpus.vocabulary.characters)
    else:
        what, twice = f"tokens ({parts}) of {corpus.vocabulary}", None
    tell(f"{_source(config)}: {items}{len(corpus):,} {what}")
    if twice:
        tell(f"the text has both {twice!r} and its separate parts, so a letter may have two spellings; see --data.normalize nfc")
    return corpus


def _source(config: TextRunConfig) -> str:
    if not config.corpus:
        return "the source of Python's standard library"
    return config.corpus[0] if len(config.corpus) == 1 else f"{config.corpus[0]} and {len(config.corpus) - 1} more"


def as_settings(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the given arguments as settings: --items is a setting of the text."""
    items = {"data": {"items": given["items"]}} if "items" in given else {}
    return {**{name: value for name, value in given.items() if name != "items"}, **items}


def a_sample(run: "Run", config: TextRunConfig) -> list[str]:
    """Return a sample of the model between two lines."""
    import jax

    from seqnets.decode import sample

    opening, key = "" if config.corpus else PYTHON_OPENING, jax.random.key(config.train.seed)
    separator = tuple(run.vocabulary.encode(config.data.separator_text).tolist())
    text = opening + sample(run.model, opening, length=SAMPLE_CHARACTERS, temperature=0.7, key=key, separator=separator)
    return [_rule("a sample"), text, _rule("the end")]


def _rule(title: str) -> str:
    return f"---- {title} ".ljust(72, "-")


def commands(config: TextRunConfig) -> list[str]:
    """Return the commands to try next."""
    if config.data.items != "none":
        return ["seqnets sample {run} --items 20 --new", "seqnets evaluate {run} FILE"]
    prompt = "" if config.corpus else " --prompt 'import '"
    return [f"seqnets sample {{run}} --length 1000 --temperature 0.7{prompt}", "seqnets evaluate {run} FILE"]


RECIPE = Recipe.of_files(
    "corpus",
    metavar="CORPUS",
    help="files (also .gz), folders, globs, - for standard input, or tiny-shakespeare, sonnets or names; none for the source of "
    "Python's standard library",
    config=TextRunConfig,
    usage="CORPUS ... [--items lines]",
    words={
        "--items": {
            "choices": get_args(ItemKind),
            "metavar": "lines|paragraphs",
            "help": "the text is a list, such as one name per line; the same as --data.items",
        },
        "--size": {
            "choices": get_args(SizeName),
            "metavar": "|".join(get_args(SizeName)),
            "help": "the size of the model; auto goes by text, machine and time [auto, if no --model option is given]",
        },
        "--minutes": {"type": float, "metavar": "X", "help": "the time for training, if --train.steps does not say it [2]"},
    },
    without="standard-library",
    make=make,
    as_settings=as_settings,
    leaves_open=leaves_open,
    begin=begin,
    shown=a_sample,
    commands=commands,
    figures="bits_per_char",
    of_vocabulary={"vocabulary": "kind", "normalize": "normalize"},
    prefers_mesh=prefers_mesh,
)
