"""The pictures that a look is given, or those that its run did not learn from."""

from collections.abc import Sequence
from typing import Any

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
    from seqnets.tasks.classifier.held_out import held_out

    found, _ = held_out(chosen.run, most=most)
    return list(found.names), list(found.pictures)


def label(chosen: Chosen, number: int) -> str:
    """Return the name of a class, or its number."""
    return chosen.labels[number] if chosen.labels else f"class {number}"
