"""`seqnets train captioner`: sentences for images."""

import shlex
from argparse import ArgumentParser
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from flax import nnx

from seqnets import settings
from seqnets.data.demo.scenes import Scenes
from seqnets.decode.captions.decoding import decode_captions
from seqnets.errors import UserError
from seqnets.models.captioner.config import PRESETS, preset
from seqnets.run import Run
from seqnets.tasks import recipe
from seqnets.tasks.captioner.config import CaptionerRunConfig
from seqnets.tasks.captioner.figures import scene_figures
from seqnets.tasks.captioner.sources import HELD_OUT_SCENES, drawn_scenes, photographs, read_word_vectors, scene_captioner
from seqnets.tasks.captioner.task import CaptionerTask
from seqnets.viz.figure_file import write_figure

USAGE = "--images DIR --captions FILE"
PICTURE, SHOWN = "attention.png", 3
_OWN_ENCODERS = ("small", "features")


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
    parser.add_argument(
        "--captions", metavar="FILE", help="their captions: CSV, JSON Lines, Flickr8k's token file, COCO's or Karpathy's JSON"
    )
    parser.add_argument("--preset", choices=tuple(PRESETS), metavar="|".join(PRESETS), help="a published shape [sat-soft]")


def given(found: Any) -> Mapping[str, Any]:
    """Return the words that name the images, and those of a preset, as settings."""
    words = {name: getattr(found, name) for name in ("images", "captions") if getattr(found, name)}
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
    return f"{recipe.named_after([config.captions] if config.captions else [], 'scenes')}-captioner"


def make_task(config: CaptionerRunConfig, tell: Callable[[str], None]) -> CaptionerTask:
    """Read or draw the images and make the model."""
    rngs = nnx.Rngs(config.train.seed)
    if bool(config.images) != bool(config.captions):
        raise UserError("--images and --captions belong together; give both, or neither for drawn scenes")
    if not config.images:
        splits = drawn_scenes(config.data.scenes)
        model = scene_captioner(splits, config.data, config.model, rngs=rngs)
        tell(f"{recipe.counted(splits, 'drawn scenes')}, {model.vocabulary}; what is validated and tested is combined anew")
    else:
        finetune = config.learning.finetune_after > 0
        model, splits = photographs(
            config.images, config.captions, config.data, config.model, finetune=finetune, tell=tell, rngs=rngs
        )
    if config.data.word_vectors:
        read_word_vectors(model, config.data.word_vectors, tell)
    return CaptionerTask(model, splits, config.learning)


def resolved(config: CaptionerRunConfig) -> CaptionerRunConfig:
    """Return the settings as they mean the same from any folder."""
    paths = {name: getattr(config, name) for name in ("images", "captions")}
    sections = {
        "model": {"encoder_weights": config.model.encoder_weights},
        "data": {name: getattr(config.data, name) for name in ("split_lists", "word_vectors")},
    }
    return settings.replaced(config, {**_absolute(paths), **{name: _absolute(values) for name, values in sections.items()}})


def _absolute(paths: Mapping[str, str]) -> dict[str, str]:
    return {name: recipe.absolute([path])[0] for name, path in paths.items() if path}


def closing(run: Run, config: CaptionerRunConfig) -> str:
    """Return the validation figures, captions of held-out scenes with a picture of attention, and the next commands."""
    folder = "DIR" if not config.images else shlex.quote(config.images)
    commands = ["seqnets caption {run} IMAGE", f"seqnets caption {{run}} {folder} --out captions.json"]
    figures = f"{config.learning.objective} CIDEr BLEU-4" if config.learning.objective == "correct" else "CIDEr BLEU-4"
    shown = _held_out(run) if not config.images else []
    return "\n".join([*shown, recipe.last_words(run, figures, commands)])


def _held_out(run: Run) -> list[str]:
    scenes = list(Scenes("test", HELD_OUT_SCENES))
    images = np.stack([scene.image for scene in scenes])
    found = [captions[0] for captions in decode_captions(run.model, images, method="greedy")]
    figures = ", ".join(f"{name} {value:.1%}" for name, value in scene_figures(found, scenes).items())
    lines = [f"test: {figures} of {len(scenes)} scenes whose combination was never trained on"]
    lines += [f"  {caption.text}" for caption in found[:SHOWN]]
    return [*lines, *_draw(run, images[0], found[0])]


def _draw(run: Run, image: np.ndarray, caption: Any) -> list[str]:
    if caption.attention is None or run.directory is None:
        return []
    try:
        from seqnets.viz.attention import attention_figure

        path = Path(run.directory) / PICTURE
        write_figure(attention_figure(image, caption.words, caption.maps, title=caption.text), path)
    except UserError as error:
        return [f"no picture of attention: {error}"]
    return [f"where it looked at each word: {path}"]
