"""`seqnets train tagger`: a model that labels every step of a sequence."""

from collections.abc import Callable

from flax import nnx

from seqnets.data.demo.python_source import library_chunks
from seqnets.data.examples.label_examples import frame_examples, frame_scale, token_examples
from seqnets.data.examples.labeled_sequences import Labeled, read_frames, read_labeled_sequences
from seqnets.data.examples.texts import Splits
from seqnets.errors import UserError
from seqnets.models.sequence.tagger import FrameScale, Tagger
from seqnets.run import Run
from seqnets.tasks import recipe
from seqnets.tasks.tagger.config import TaggerRunConfig
from seqnets.tasks.tagger.task import TaggerTask

PIECES = 12_000


def make_task(config: TaggerRunConfig, tell: Callable[[str], None]) -> TaggerTask:
    """Read the sequences and make the model."""
    reads, labels, splits = _frames(config) if _is_numeric(config) else token_examples(_sequences(config), config.data)
    kind = f"{len(reads.mean)} features a frame" if isinstance(reads, FrameScale) else str(reads)
    tell(f"{recipe.counted(splits, 'sequences')}, {kind}, {len(labels)} labels: {', '.join(labels)[:200]}")
    return TaggerTask(Tagger(reads, labels, config.model, rngs=nnx.Rngs(config.train.seed)), splits)


def closing(run: Run, config: TaggerRunConfig) -> str:
    """Return the validation figures and the next commands."""
    commands = ["seqnets predict {run} FILE"]
    if not _is_numeric(config):
        example = "tokens of your own" if config.sequences else "x = 3  # the third"
        commands.insert(0, f"seqnets predict {{run}} --text '{example}'")
    return recipe.last_words(run, "accuracy macro_f1 whole_sequences", commands)


def _is_numeric(config: TaggerRunConfig) -> bool:
    numeric = [name for name in config.sequences if name.lower().endswith(".npz")]
    if numeric and len(config.sequences) > 1:
        raise UserError(f"'{numeric[0]}' holds all frames of a run; give it alone, not with {len(config.sequences) - 1} more")
    return bool(numeric)


def _sequences(config: TaggerRunConfig) -> list[Labeled]:
    if config.sequences:
        return read_labeled_sequences(config.sequences)
    return [(list(text), kinds) for text, kinds in zip(*library_chunks(config.data.max_length, PIECES))]


def _frames(config: TaggerRunConfig) -> tuple[FrameScale, tuple[str, ...], Splits]:
    frames = read_frames(config.sequences[0])
    splits = frame_examples(frames, config.data)
    mean, deviation = frame_scale(splits["train"])
    return FrameScale(tuple(mean.tolist()), tuple(deviation.tolist())), frames.names, splits
