"""`seqnets train tagger`: a model that labels every step of a sequence."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from seqnets.data.examples.config import SequenceConfig
from seqnets.errors import UserError
from seqnets.models.sequence.config import RecurrentConfig
from seqnets.tasks.recipe import Recipe, Tell, counted, predictions
from seqnets.train.config import TrainConfig

if TYPE_CHECKING:
    from seqnets.tasks.start import Start
    from seqnets.tasks.tagger.task import TaggerTask


@dataclass(frozen=True)
class TaggerRunConfig:
    """A tagger and the labeled sequences it learns from.

    Example:
        >>> TaggerRunConfig(sequences=("train.conll",)).data.validation_fraction
        0.1
    """

    task: Literal["tagger"] = "tagger"
    """The task."""
    from_run: str = ""
    """The run whose weights to begin with: its folder or name; empty for random weights."""
    sequences: tuple[str, ...] = ()
    """Files of labeled tokens, or one .npz file of frames; none for the source of Python's standard library."""
    data: SequenceConfig = field(default_factory=SequenceConfig)
    """How the sequences are cut and split."""
    model: RecurrentConfig = field(default_factory=RecurrentConfig)
    """The shape of the model."""
    train: TrainConfig = field(default_factory=TrainConfig)
    """The training."""


PIECES = 12_000


def make(config: TaggerRunConfig, tell: Tell, start: "Start | None" = None) -> "TaggerTask":
    """Read the sequences and make the model."""
    from flax import nnx

    from seqnets.models.sequence.tagger import FrameScale, Tagger
    from seqnets.tasks.tagger.task import TaggerTask

    if is_numeric(config):
        reads, labels, splits = frames_of(config, start)
    else:
        if start and start.vocabulary is None:
            raise UserError(
                f"'{start.name}' labels numeric frames, and these sequences are of tokens; begin with a tagger of tokens"
            )
        reads, labels, splits = tokens_of(config, extends=start.vocabulary if start else None)
    kind = f"{len(reads.mean)} features per frame" if isinstance(reads, FrameScale) else str(reads)
    tell(f"{counted(splits, 'sequences')}, {kind}, {len(labels)} labels: {', '.join(labels)[:200]}")
    if start:
        tokens = {} if isinstance(reads, FrameScale) else {"vocabulary": reads}
        model = start.grown(config.model, tell, rngs=nnx.Rngs(config.train.seed), labels=labels, **tokens)
    else:
        model = Tagger(reads, labels, config.model, rngs=nnx.Rngs(config.train.seed))
    return TaggerTask(model, splits)


def commands(config: TaggerRunConfig) -> list[str]:
    """Return the commands to try next."""
    return predictions(config.sequences, "x = 3  # the third")[is_numeric(config) :]  # of numbers, only files


def is_numeric(config: TaggerRunConfig) -> bool:
    """Return whether the sequences are numeric frames, which come in one file."""
    numeric = [name for name in config.sequences if name.lower().endswith(".npz")]
    if numeric and len(config.sequences) > 1:
        raise UserError(f"'{numeric[0]}' holds all frames of a run; give it alone, not with {len(config.sequences) - 1} more")
    return bool(numeric)


def tokens_of(config: TaggerRunConfig, *, extends: Any = None) -> Any:
    """Return the table of tokens, the labels and the splits of sequences of tokens, as `token_examples` does."""
    from seqnets.data.demo.python_source import library_chunks
    from seqnets.data.examples.label_examples import token_examples
    from seqnets.data.examples.labeled_sequences import read_labeled_sequences

    if config.sequences:
        sequences = read_labeled_sequences(config.sequences)
    else:
        sequences = [(list(text), kinds) for text, kinds in zip(*library_chunks(config.data.max_length, PIECES))]
    return token_examples(sequences, config.data, extends=extends)


def frames_of(config: TaggerRunConfig, start: "Start | None" = None) -> Any:
    """Return the scale, the labels and the splits of sequences of frames."""
    from seqnets.data.examples.label_examples import frame_examples, frame_scale
    from seqnets.data.examples.labeled_sequences import read_frames
    from seqnets.models.sequence.tagger import FrameScale

    frames = read_frames(config.sequences[0])
    splits = frame_examples(frames, config.data)
    if start:
        return _scale_of(start, frames.inputs.shape[-1]), frames.names, splits
    mean, deviation = frame_scale(splits["train"])
    return FrameScale(tuple(mean.tolist()), tuple(deviation.tolist())), frames.names, splits


def _scale_of(start: "Start", features: int) -> Any:
    """Return the scale of the frames that a tagger has learned from, which its weights expect."""
    known = "tokens" if start.vocabulary is not None else f"frames of {len(start.model.scale.mean)} features"
    if known != f"frames of {features} features":
        raise UserError(
            f"'{start.name}' labels {known}, and this file holds frames of {features} features; begin with another run"
        )
    return start.model.scale


RECIPE = Recipe.of_files(
    "sequences",
    help="files of a token, a tab and its label on each line, an empty line after each sequence; JSON Lines with "
    "tokens and labels; or one .npz with inputs [N, T, F] and labels [N, T]; none for Python's standard library: what is "
    "each character of its source?",
    config=TaggerRunConfig,
    without="python-source",
    suffix="-tagger",
    make=make,
    commands=commands,
    figures="macro_f1 whole_sequences",
)
