"""`seqnets train captioner`: sentences for images."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from seqnets import places, settings
from seqnets.data.captions.config import CaptionDataConfig
from seqnets.data.captions.forms import form_names
from seqnets.errors import UserError
from seqnets.models.captioner.config import PRESETS, CaptionerConfig, preset
from seqnets.tasks.captioner.learning import CaptionLearning
from seqnets.tasks.recipe import Recipe, Tell, counted
from seqnets.tasks.starting_weights import OWN_ENCODERS, named_encoder
from seqnets.train.config import TrainConfig

if TYPE_CHECKING:
    from seqnets.run import Run
    from seqnets.tasks.captioner.task import CaptionerTask
    from seqnets.tasks.start import Start


@dataclass(frozen=True)
class CaptionerRunConfig:
    """A captioner and the captioned images it learns from.

    Example:
        >>> CaptionerRunConfig(images="photos", captions="captions.txt").model.attention
        'additive'
    """

    task: Literal["captioner"] = "captioner"
    """The task."""
    from_run: str = ""
    """The run whose weights to begin with: its folder or name; empty for random weights."""
    images: str = ""
    """Folder of the images; empty for drawn scenes."""
    captions: str | tuple[str, ...] = ""
    """File of their captions, or several."""
    data: CaptionDataConfig = field(default_factory=CaptionDataConfig)
    """How captions are read and split."""
    model: CaptionerConfig = field(default_factory=CaptionerConfig)
    """The shape of the model."""
    learning: CaptionLearning = field(default_factory=CaptionLearning)
    """The objective, and the validation."""
    train: TrainConfig = field(default_factory=TrainConfig)
    """The training."""


def make(config: CaptionerRunConfig, tell: Tell, start: "Start | None" = None) -> "CaptionerTask":
    """Read or draw the images and make the model."""
    from flax import nnx

    from seqnets.tasks.captioner.sources import drawn_scenes, photographs, read_word_vectors, scene_captioner
    from seqnets.tasks.captioner.task import CaptionerTask

    rngs, config = nnx.Rngs(config.train.seed), with_public_set(config, tell)
    if bool(config.images) != bool(config.captions):
        beside = " (if a .txt stands beside each picture, give the same folder twice)"
        raise UserError(f"--images and --captions belong together; give both{beside}, or neither for drawn scenes")
    if not config.images:
        splits = drawn_scenes(config.data.scenes)
        model = scene_captioner(splits, config.data, config.model, tell=tell, rngs=rngs, start=start)
        tell(f"{counted(splits, 'drawn scenes')}, {model.vocabulary}; validation and test have other combinations")
    else:
        finetune = config.learning.finetune_after > 0
        model, splits = photographs(
            config.images, config.captions, config.data, config.model, finetune=finetune, tell=tell, rngs=rngs, start=start
        )
    if config.data.word_vectors:
        read_word_vectors(model, config.data.word_vectors, tell)
    return CaptionerTask(model, splits, config.learning)


def with_public_set(config: CaptionerRunConfig, tell: Tell) -> CaptionerRunConfig:
    """Return the settings with the paths of a public set whose name stands for the captions.

    Raises:
        UserError: the set cannot be downloaded, or the name is almost that of a set.
    """
    from seqnets.data.public_sets import download, is_public_set, names_like

    if not isinstance(config.captions, str) or os.path.lexists(config.captions):
        return config
    if not is_public_set(config.captions, "captions"):
        if hint := names_like(config.captions, "captions"):
            raise UserError(f"there is no file {config.captions!r}{hint}")
        return config
    found = download(config.captions, tell=tell)
    lists = {} if config.data.split_lists or not found.lists else {"data": {"split_lists": str(found.lists)}}
    return settings.replaced(config, {"images": config.images or str(found.data), "captions": str(found.captions), **lists})


def as_settings(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the given arguments as settings, including a preset's and the objective for photographs."""
    words = {name: value for name, value in given.items() if name != "preset"}
    sections = preset(given["preset"]) if "preset" in given else {}
    if "captions" not in words:
        return {**words, **sections}
    files = words["captions"]
    learning = {"objective": "CIDEr", **sections.get("learning", {})}
    return {**words, **sections, "captions": files[0] if len(files) == 1 else files, "learning": learning}


def completed(config: CaptionerRunConfig) -> CaptionerRunConfig:
    """Return the settings with dependent defaults filled in: a pretrained encoder is frozen, or trained slowly.

    Example:
        >>> completed(settings.replaced(RECIPE.default(), {"model": {"encoder": "squeezenet1_1"}})).train.freeze
        ('encoder',)
    """
    if config.model.encoder in OWN_ENCODERS:
        return config
    config, train = settings.replaced(config, {"model": named_encoder(config.model)}), config.train
    if config.learning.finetune_after:
        slow = (f"encoder={config.learning.finetune_rate}", *train.rate_multipliers)
        return settings.replaced(config, {"train": {"rate_multipliers": slow}})
    return settings.replaced(config, {"train": {"freeze": tuple(dict.fromkeys(("encoder", *train.freeze)))}})


def shown_captions(run: "Run", config: CaptionerRunConfig) -> list[str]:
    """Return figures and captions of held-out drawn scenes, with a picture of attention; nothing for photographs."""
    if config.captions:
        return []
    from seqnets.tasks.captioner.held_out import scene_lines

    return scene_lines(run)


def commands(config: CaptionerRunConfig) -> list[str]:
    """Return the commands to try next."""
    folder = places.quoted(config.images) if config.images else "DIR"
    return ["seqnets caption {run} IMAGE", f"seqnets caption {{run}} {folder} --out captions.json"]


RECIPE = Recipe(
    config=CaptionerRunConfig,
    usage="--images DIR --captions FILE | --captions NAME",
    words={
        "--images": {"metavar": "DIR", "help": "folder of the images; none for drawn scenes"},
        "--captions": {
            "metavar": "FILE",
            "nargs": "+",
            "help": f"their captions: {form_names()}; or several files; or flickr8k, coco-val2017 etc. without --images",
        },
        "--preset": {"choices": tuple(PRESETS), "metavar": "|".join(PRESETS), "help": "a published shape [sat-soft]"},
    },
    source="captions",
    without="scenes",
    suffix="-captioner",
    make=make,
    shown=shown_captions,
    commands=commands,
    figures="CIDEr BLEU-4",
    paths=("captions", "images", "model.encoder_weights", "data.split_lists", "data.word_vectors"),
    as_settings=as_settings,
    completed=completed,
    of_vocabulary={"unit": "unit", "punctuation": "punctuation"},
)
