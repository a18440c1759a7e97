"""The settings of recurrent layers, which all sequence models share."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Annotated, Any, Literal

from seqnets import settings
from seqnets.errors import UserError
from seqnets.nn.cells import KINDS
from seqnets.ops.backends.names import Backend

if TYPE_CHECKING:
    CellName = str
else:
    CellName = Literal[tuple(KINDS)]

_OPTIONS = {option for kind in KINDS.values() for option in kind.options}
_HOMES = {option: [cell for cell, kind in KINDS.items() if option in kind.options] for option in sorted(_OPTIONS)}


@dataclass(frozen=True)
class CellConfig:
    """Recurrent layers: the settings in section `[model]` that all sequence models share.

    Raises:
        UserError: a setting is out of its range; the message names it.

    Example:
        >>> CellConfig(cell="highway", depth=3).layers
        1
    """

    cell: CellName = "lstm"
    """The recurrence."""
    hidden_features: Annotated[int, settings.WIDTH] = 256
    """Units of each recurrent layer."""
    layers: Annotated[int, settings.LAYERS] = 1
    """The number of recurrent layers."""
    layer_norm: bool = False
    """Use layer normalization inside the cells."""
    forget_bias: float = 1.0
    """Initial value of the forget bias of the LSTM and the minLSTM."""
    reset: Literal["after", "before"] = "after"
    """Whether the GRU's reset gate acts before or after the product."""
    activation: Literal["tanh", "relu"] = "tanh"
    """Activation of the vanilla cell."""
    depth: Annotated[int, settings.LAYERS] = 2
    """Highway layers in one step of the highway cell."""
    carry_bias: float = 2.0
    """Initial bias of the highway cell toward carrying its state."""
    candidate: Literal["positive", "tanh", "identity"] = "positive"
    """Activation of the new values of the minGRU and the minLSTM; positive is x + 1/2 above 0 and a sigmoid below."""
    dropout: Annotated[float, settings.RATE] = 0.0
    """Dropout rate between the layers and before the output."""
    locked_dropout: bool = False
    """Draw one dropout mask for the whole sequence or window instead of one per step."""
    weight_dropout: Annotated[float, settings.RATE] = 0.0
    """Dropout rate on the weights of the recurrent kernels."""
    zoneout: Annotated[float, settings.RATE] = 0.0
    """Rate at which a unit keeps its old state."""
    residual: bool = False
    """Add each layer's input to its output where the sizes are equal."""
    remat: Annotated[int, settings.NOT_NEGATIVE] = 0
    """Keep the state only every this many steps and compute the steps between again, so that long windows need little memory."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Precision of the recurrence's products; weights and carry stay float32."""
    backend: Backend = "auto"
    """The backend that runs the recurrence over time; a decoder with attention goes step by step without one."""

    def __post_init__(self) -> None:
        settings.settle(self, "model")

    def cell_options(self) -> dict[str, Any]:
        """Return the settings that only cells such as this one have.

        Raises:
            UserError: an option of another cell is set, which would have no effect; the message names it.

        Example:
            >>> CellConfig(cell="highway", depth=3).cell_options()
            {'depth': 3, 'carry_bias': 2.0}
            >>> CellConfig(cell="lstm", depth=3).cell_options()
            Traceback (most recent call last):
            ...
            seqnets.errors.UserError: model.depth is a setting of the cell highway, and model.cell is 'lstm'; leave it out
        """
        defaults = {field.name: field.default for field in fields(self)}
        for option, cells in _HOMES.items():
            if self.cell not in cells and getattr(self, option) != defaults[option]:
                whose = f"the cell{'s' * (len(cells) > 1)} {' and '.join(cells)}"
                raise UserError(f"model.{option} is a setting of {whose}, and model.cell is {self.cell!r}; leave it out")
        return {option: getattr(self, option) for option in KINDS[self.cell].options}


def without_others(values: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out the options of other cells, which older run folders may state and which never had an effect.

    Example:
        >>> without_others({"cell": "lstm", "depth": 3, "layers": 2})
        {'cell': 'lstm', 'layers': 2}
    """
    cell = values.get("cell", "lstm")
    return {name: value for name, value in values.items() if cell in _HOMES.get(name, (cell,))}
