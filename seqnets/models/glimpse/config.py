"""The settings of glancers and drawers: the section [model] of their runs."""

from dataclasses import dataclass
from typing import Annotated, Literal

from seqnets import settings
from seqnets.models.cell_config import CellConfig

_FEW = settings.Range(least=1, most=64)


@dataclass(frozen=True)
class GlancerConfig(CellConfig):
    """A network that looks at places of a picture, one after the other, and names what is there: section `[model]`.

    Example:
        >>> GlancerConfig(objects=3, glimpses=2).looks
        6
    """

    glimpses: Annotated[int, _FEW] = 6
    """Looks at each thing."""
    objects: Annotated[int, _FEW] = 1
    """The most things in a picture; more than 1 are named from left to right, and then the end (DRAM)."""
    glimpse_size: Annotated[int, _FEW] = 8
    """Side of a glimpse, in pixels."""
    scales: Annotated[int, settings.Range(least=1, most=8)] = 3
    """Squares of a glimpse, each twice as wide as the one before and all resized to the first one's pixels."""
    glimpse_features: Annotated[int, settings.WIDTH] = 128
    """Features of what is seen, and of where."""
    context: Annotated[int, settings.Range(least=0, most=64)] = 12
    """Side of a coarse picture of everything, from which a second recurrent layer chooses the places (DRAM); 0 for none (RAM)."""
    places: Literal["grid", "normal", "random"] = "grid"
    """How places are drawn: among the cells of a grid, around a point (RAM), or anywhere without learning."""
    grid: Annotated[int, settings.Range(least=2, most=64)] = 8
    """Cells on a side of the grid."""
    deviation: Annotated[float, settings.ABOVE_ZERO] = 0.2
    """Standard deviation of normal places, where 2 is the whole side of the picture."""
    samples: Annotated[int, _FEW] = 1
    """Series of glimpses over which the probabilities are averaged after training (Monte-Carlo sampling)."""

    def __post_init__(self) -> None:
        settings.settle(self, "model")

    @property
    def looks(self) -> int:
        """How many glimpses there are in all."""
        return self.glimpses * self.objects


@dataclass(frozen=True)
class DrawerConfig(CellConfig):
    """A network that draws a picture in steps: section `[model]`.

    Example:
        >>> DrawerConfig(read_points=0, write_points=0).attends
        False
    """

    steps: Annotated[int, settings.Range(least=1, most=256)] = 10
    """Steps of a drawing."""
    latent_features: Annotated[int, settings.WIDTH] = 32
    """Random numbers in each step."""
    read_points: Annotated[int, settings.Range(least=0, most=64)] = 12
    """Points on a side of the window that is read; 0 reads the whole picture at every step."""
    write_points: Annotated[int, settings.Range(least=0, most=64)] = 12
    """Points on a side of the window that is written; 0 writes the whole picture at every step."""

    def __post_init__(self) -> None:
        settings.settle(self, "model")

    @property
    def attends(self) -> bool:
        """Whether what is written has a window."""
        return self.write_points > 0
