"""Pictures that a captioner did not learn from, and its results on them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from seqnets.data.captions import read_captions, with_pictures
from seqnets.data.demo.scenes import Scenes
from seqnets.data.images.files import find_images
from seqnets.data.images.preprocessing import Picture
from seqnets.decode.captions.decoding import decode_captions
from seqnets.errors import UserError
from seqnets.run import Run
from seqnets.tasks.captioner.figures import scene_figures
from seqnets.tasks.captioner.sources import HELD_OUT_SCENES
from seqnets.viz.figure_file import say, write_figure

PICTURE, SHOWN = "attention.png", 3
_SPLITS = ("test", "validation")


class Described(NamedTuple):
    """Pictures to caption.

    Attributes:
        names: a name for each.
        pictures: files, or uint8 `(H, W, 3)`.
        references: what people said of each; empty where that is not known.
        among: how many there are in all, with those that were left out because there were too many.
    """

    names: Sequence[str]
    pictures: Sequence[Picture]
    references: Sequence[Sequence[str]]
    among: int


def held_out(run: Run, folder: str | None = None, *, most: int = 100) -> tuple[Described, str]:
    """Return pictures that a captioner did not learn from, and what to call them.

    Args:
        run: a run of `seqnets train captioner`.
        folder: a folder of other pictures; those of the run's test split, else of its validation split, if None.
        most: how many are taken, the first ones.

    Raises:
        UserError: they cannot be read, or the run holds none out.

    Example:
        >>> from seqnets.run import load
        >>> found, name = held_out(load("scenes"), most=2)
        >>> found.names, len(found.references[0]), found.among, name
        (['scene 1', 'scene 2'], 4, 500, 'drawn scenes with combinations that were not in training')
    """
    if folder is not None:
        paths = find_images([folder], tell=say)
        return Described(list(map(str, paths[:most])), paths[:most], (), len(paths)), folder
    from seqnets.tasks.captioner import RECIPE, with_public_set

    config = with_public_set(RECIPE.settings_of(run), say)
    if not config.captions:
        scenes = list(Scenes("test", min(most, HELD_OUT_SCENES)))
        names = [f"scene {number}" for number in range(1, len(scenes) + 1)]
        references = [scene.captions for scene in scenes]
        source = "drawn scenes with combinations that were not in training"
        return Described(names, [scene.image for scene in scenes], references, HELD_OUT_SCENES), source
    fractions = {name: getattr(config.data, name) for name in ("validation_fraction", "test_fraction")}
    found = read_captions(config.captions, lists=config.data.split_lists or None, **fractions)
    split = next((split for split in _SPLITS if len(found.split(split))), None)
    if split is None:
        raise UserError(f"'{run.directory}' held no pictures out; give a folder of others as --images")
    part, _ = with_pictures(found.split(split), config.images)
    return Described(part.names[:most], part.images[:most], part.captions[:most], len(part)), f"the {split} split"


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
