"""Results of a captioner of drawn scenes on combinations that were not in training."""

from pathlib import Path
from typing import Any

import numpy as np

from seqnets.data.demo.scenes import Scenes
from seqnets.decode.captions.decoding import decode_captions
from seqnets.errors import UserError
from seqnets.run import Run
from seqnets.tasks.captioner.figures import scene_figures
from seqnets.tasks.captioner.sources import HELD_OUT_SCENES
from seqnets.viz.figure_file import say, write_figure

PICTURE, SHOWN = "attention.png", 3


def scene_lines(run: Run) -> list[str]:
    """Return figures and captions of held-out scenes, and the path of the picture of attention."""
    scenes = list(Scenes("test", HELD_OUT_SCENES))
    images = np.stack([scene.image for scene in scenes])
    found = [captions[0] for captions in decode_captions(run.model, images, method="greedy")]
    figures = ", ".join(f"{name} {value:.1%}" for name, value in scene_figures(found, scenes).items())
    lines = [f"test: {figures} of {len(scenes)} scenes with combinations that were not in training"]
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
    return [f"attention at each word: {path}"]
