"""Pictures that a classifier did not learn from, and what it says of them."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from seqnets.data.images.files import find_images
from seqnets.data.images.preprocessing import Picture
from seqnets.data.images.sets import read_images
from seqnets.decode.captions.images import shown
from seqnets.decode.classification import image_log_probabilities
from seqnets.errors import UserError
from seqnets.inspect import Judgments
from seqnets.run import Run
from seqnets.viz.figure_file import say


class Labeled(NamedTuple):
    """Pictures and their classes.

    Attributes:
        names: a name for each.
        pictures: files, or uint8 arrays.
        truth: integers `(N,)`: the number of each class; -1 where it is not known.
    """

    names: Sequence[str]
    pictures: Sequence[Picture]
    truth: np.ndarray


def held_out(run: Run, folder: str | None = None, *, most: int = 2_000) -> tuple[Labeled, str]:
    """Return pictures that a classifier did not learn from, and what to call them.

    Args:
        run: a run of `seqnets train classifier`.
        folder: a folder of other pictures; one that lies in a folder with the name of a class has this class. Those of the
            run's test split, else of its validation split, if None.
        most: how many are taken; of more, every second, third or so.

    Raises:
        UserError: they cannot be read, or the run holds none out.
    """
    if folder is not None:
        paths = find_images([folder], tell=say)
        labels = list(run.model.labels)
        truth = np.array([labels.index(name) if (name := path.parent.name) in labels else -1 for path in paths], np.int32)
        return _some(list(map(str, paths)), paths, truth, most), folder
    from seqnets.tasks.classifier import RECIPE

    config = RECIPE.settings_of(run)
    images = read_images(*config.images).with_validation(config.data.validation_fraction)
    digest = images.fingerprint()["images_digest"]
    if run.directory and digest != run.config["data"].get("images_digest"):
        raise UserError(f"the images that '{run.directory}' was trained on have changed since; give a folder as --images")
    split = next((split for split in ("test", "validation") if split in images.splits and len(images.splits[split])), None)
    if split is None:
        raise UserError(f"'{run.directory}' held no images out; give a folder of others as --images")
    found, drawn = images.splits[split], isinstance(images.splits[split].images, np.ndarray)
    names = [f"image {number:,}" for number in range(1, len(found) + 1)] if drawn else list(map(str, found.images))
    return _some(names, found.images, found.labels, most), f"the {split} split"


def _some(names: Sequence[str], pictures: Any, truth: np.ndarray, most: int) -> Labeled:
    step = -(-len(names) // most)
    return Labeled(names[::step], pictures[::step], truth[::step])


def judged(model: Any, labeled: Labeled) -> Judgments:
    """Return what a classifier says of pictures; one that cannot be read has no class and does not count."""
    classes = len(model.labels)
    unknown = np.full(classes, -np.log(classes))
    found = list(image_log_probabilities(model, labeled.pictures, batch_size=min(32, len(labeled.names))))
    readable = np.array([not isinstance(row, UserError) for row in found])
    rows = np.array([unknown if isinstance(row, UserError) else row for row in found])
    return Judgments(tuple(model.labels), np.where(readable, labeled.truth, -1), rows)


def name_of(model: Any, labeled: Labeled, example: int) -> str:
    """Return what to call a picture."""
    return labeled.names[example]


def picture_of(model: Any, labeled: Labeled, example: int) -> np.ndarray:
    """Return a picture as the classifier sees it: uint8 `(H, W, 3)`."""
    return shown(model.preprocessing, model.preprocessing.pixels(labeled.pictures[example]))
