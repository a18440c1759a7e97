"""The pictures that a look is given, or those that its run did not learn from."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from seqnets.cli.image_arguments import named_images
from seqnets.cli.networks import Chosen
from seqnets.errors import UserError


def pictures_of(chosen: Chosen, most: int) -> tuple[list[str], Sequence[Any]]:
    """Return names and pictures.

    Args:
        chosen: the network, its run, and the arguments that name images.
        most: how many are taken of the run's own pictures.

    Raises:
        UserError: no images are given, and the run has none.
    """
    if chosen.images:
        paths = named_images(chosen.images)
        return list(map(str, paths)), paths
    if chosen.run is None:
        raise UserError("no images are given; name files, folders, or patterns such as '*.jpg'")
    images = _held_out(chosen.run)
    names = [f"image {number}" for number in range(1, len(images) + 1)] if isinstance(images, np.ndarray) else images
    return list(map(str, names[:most])), list(images[:most])


def label(chosen: Chosen, number: int) -> str:
    """Return the name of a class, or its number."""
    return chosen.labels[number] if chosen.labels else f"class {number}"


def _held_out(run: Any) -> Any:
    from seqnets.data.images.sets import read_images
    from seqnets.tasks.classifier import RECIPE

    config = RECIPE.settings_of(run)
    splits = read_images(*config.images).with_validation(config.data.validation_fraction).splits
    for name in ("test", "validation"):
        if len(splits.get(name, ())):
            return splits[name].images
    raise UserError(f"'{run.directory}' held no pictures out; name files, folders, or patterns such as '*.jpg'")
