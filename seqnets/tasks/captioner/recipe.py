"""`seqnets train captioner`: sentences for images."""

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from flax import nnx

from seqnets.data.demo.scenes import Scenes
from seqnets.decode.captions.decoding import decode_captions
from seqnets.errors import UserError
from seqnets.run import Run
from seqnets.tasks import recipe
from seqnets.tasks.captioner.config import CaptionerRunConfig
from seqnets.tasks.captioner.figures import scene_figures
from seqnets.tasks.captioner.sources import HELD_OUT_SCENES, drawn_scenes, photographs, read_word_vectors, scene_captioner
from seqnets.tasks.captioner.task import CaptionerTask
from seqnets.viz.figure_file import say, write_figure

PICTURE, SHOWN = "attention.png", 3


def make_task(config: CaptionerRunConfig, tell: Callable[[str], None]) -> CaptionerTask:
    """Read or draw the images and make the model."""
    rngs = nnx.Rngs(config.train.seed)
    if bool(config.images) != bool(config.captions):
        beside = " (where a .txt stands beside each picture, the same folder twice)"
        raise UserError(f"--images and --captions belong together; give both{beside}, or neither for drawn scenes")
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
        write_figure(attention_figure(image, caption.words, caption.maps, title=caption.text, tell=say), path)
    except UserError as error:
        return [f"no picture of attention: {error}"]
    return [f"where it looked at each word: {path}"]
