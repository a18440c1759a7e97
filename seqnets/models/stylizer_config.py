"""The settings of a stylizer: the section [model] of its run."""

from dataclasses import dataclass
from typing import Annotated, Literal

from seqnets import settings


@dataclass(frozen=True)
class StylizerConfig:
    """A network that paints a picture in a style in one pass: section `[model]` of a configuration.

    Raises:
        UserError: a setting is out of its range.

    Example:
        >>> StylizerConfig().residual_blocks
        5
    """

    widths: tuple[Annotated[int, settings.WIDTH], ...] = (32, 64, 128)
    """Maps of the three convolutions on the way down: of the full size, a half, a quarter."""
    residual_blocks: Annotated[int, settings.LAYERS] = 5
    """Residual blocks at a quarter of the size."""
    expansion: tuple[Annotated[int, settings.WIDTH], ...] = (64, 32)
    """Maps of the two convolutions on the way up."""
    upsampling: Literal["nearest", "transposed"] = "nearest"
    """Each pixel twice, then a convolution; or a transposed convolution, which may leave a checkerboard."""
    padding: Literal["reflect", "zeros"] = "reflect"
    """What convolutions see beyond the border."""
    output: Literal["sigmoid", "tanh"] = "sigmoid"
    """How values are bounded: 255 sigmoid, for pictures divided by 255; or 127.5 + 150 tanh, for pictures of 0 to 255."""
    epsilon: Annotated[float, settings.ABOVE_ZERO] = 1e-5
    """Added to the variances of the instance norms."""

    def __post_init__(self) -> None:
        settings.settle(self, "model")
        for name, count in (("widths", 3), ("expansion", 2)):
            settings.choice(f"the number of model.{name}", len(getattr(self, name)), (count,))
