"""What a captioner's training run is made of."""

from argparse import ArgumentParser
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from seqnets import settings
from seqnets.data.captions.config import CaptionDataConfig
from seqnets.data.captions.forms import form_names
from seqnets.models.captioner.config import PRESETS, CaptionerConfig, preset
from seqnets.tasks import recipe
from seqnets.tasks.captioner.learning import CaptionLearning
from seqnets.train.config import TrainConfig

USAGE = "--images DIR --captions FILE"
_OWN_ENCODERS = ("small", "features")


@dataclass(frozen=True)
class CaptionerRunConfig:
    """A captioner and the captioned images it learns from.

    Example:
        >>> CaptionerRunConfig(images="photos", captions="captions.txt").model.attention
        'additive'
    """

    task: Literal["captioner"] = "captioner"
    """What is learned."""
    images: str = ""
    """Folder of the images; empty for drawn scenes."""
    captions: str | tuple[str, ...] = ""
    """File of their captions, or several."""
    data: CaptionDataConfig = field(default_factory=CaptionDataConfig)
    """How captions are read and split."""
    model: CaptionerConfig = field(default_factory=CaptionerConfig)
    """The shape of the model."""
    learning: CaptionLearning = field(default_factory=CaptionLearning)
    """What is minimized, and how the model is judged."""
    train: TrainConfig = field(default_factory=TrainConfig)
    """How it is trained."""


def default() -> CaptionerRunConfig:
    """Return the settings when nothing is said.

    Example:
        >>> default().model.attention
        'additive'
    """
    return recipe.packaged("captioner", CaptionerRunConfig())


def add_arguments(parser: ArgumentParser) -> None:
    """Add the words that name the images."""
    parser.add_argument("--images", metavar="DIR", help="folder of the images; none for drawn scenes")
    parser.add_argument("--captions", metavar="FILE", nargs="+", help=f"their captions: {form_names()}; or several files")
    parser.add_argument("--preset", choices=tuple(PRESETS), metavar="|".join(PRESETS), help="a published shape [sat-soft]")


def given(found: Any) -> Mapping[str, Any]:
    """Return the words that name the images, and those of a preset, as settings."""
    words = {"images": found.images} if found.images else {}
    words |= {"captions": found.captions[0] if len(found.captions) == 1 else found.captions} if found.captions else {}
    sections = preset(found.preset) if found.preset else {}
    photos = {"objective": "CIDEr"} if found.captions else {}
    learning = {**photos, **sections.get("learning", {})}
    return {**words, **sections, **({"learning": learning} if learning else {})}


def completed(config: CaptionerRunConfig) -> CaptionerRunConfig:
    """Return the settings with what follows from others: a pretrained encoder is frozen, or trained slowly.

    Example:
        >>> completed(settings.replaced(default(), {"model": {"encoder": "squeezenet1_1"}})).train.freeze
        ('encoder',)
    """
    if config.model.encoder in _OWN_ENCODERS:
        return config
    train = config.train
    if config.learning.finetune_after:
        slow = (f"encoder={config.learning.finetune_rate}", *train.rate_multipliers)
        return settings.replaced(config, {"train": {"rate_multipliers": slow}})
    return settings.replaced(config, {"train": {"freeze": tuple(dict.fromkeys(("encoder", *train.freeze)))}})


def run_name(config: CaptionerRunConfig) -> str:
    """Return what to call the run's folder.

    Example:
        >>> run_name(CaptionerRunConfig()), run_name(CaptionerRunConfig(captions="flickr/captions.txt"))
        ('scenes-captioner', 'captions-captioner')
    """
    return f"{recipe.named_after(_files(config), 'scenes')}-captioner"


def _files(config: CaptionerRunConfig) -> list[str]:
    return [config.captions] if isinstance(config.captions, str) and config.captions else list(config.captions)


def resolved(config: CaptionerRunConfig) -> CaptionerRunConfig:
    """Return the settings as they mean the same from any folder."""
    captions = recipe.absolute(_files(config))
    known = {"captions": captions[0] if isinstance(config.captions, str) else tuple(captions)} if captions else {}
    sections = {
        "model": {"encoder_weights": config.model.encoder_weights},
        "data": {name: getattr(config.data, name) for name in ("split_lists", "word_vectors")},
    }
    paths = {**known, **_absolute({"images": config.images})}
    return settings.replaced(config, {**paths, **{name: _absolute(values) for name, values in sections.items()}})


def _absolute(paths: Mapping[str, str]) -> dict[str, str]:
    return {name: recipe.absolute([path])[0] for name, path in paths.items() if path}
