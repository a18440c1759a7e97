"""The recurrent cells: they hold weights; the arithmetic is in `seqnets.ops`.

A cell is two maps. `project(x)` is everything that depends on the input alone, so a whole sequence goes through it as one large
matrix product; `step(carry, projected)` is the rest, which must wait for the previous step. `cell(carry, x)` applies both,
so each cell is an `nnx.RNNCellBase` and also works inside Flax's own `nnx.RNN`.

A new cell is a file here and an entry of `KINDS`, from which every model and the command line take it. The entries name modules
and options instead of importing them, so that help and settings need no JAX.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from seqnets.exports import on_demand


class CellKind(NamedTuple):
    """Where the class of a cell is, and which settings of a model only cells like it have.

    Attributes:
        module: below this package.
        cell: the class.
        options: keywords of the class that `seqnets.models.cell_config.CellConfig` has as settings.
    """

    module: str
    cell: str
    options: tuple[str, ...] = ()


KINDS = {
    "lstm": CellKind("lstm", "LSTMCell", ("forget_bias",)),
    "gru": CellKind("gru", "GRUCell", ("reset",)),
    "vanilla": CellKind("vanilla", "VanillaCell", ("activation",)),
    "highway": CellKind("highway", "HighwayCell", ("depth", "carry_bias")),
    "mingru": CellKind("minimal", "MinGRUCell", ("candidate",)),
    "minlstm": CellKind("minimal", "MinLSTMCell", ("candidate", "forget_bias")),
}

if TYPE_CHECKING:
    from seqnets.nn.cells.base import Cell as Cell
    from seqnets.nn.cells.gru import GRUCell as GRUCell
    from seqnets.nn.cells.highway import HighwayCell as HighwayCell
    from seqnets.nn.cells.lstm import LSTMCell as LSTMCell
    from seqnets.nn.cells.minimal import MinGRUCell as MinGRUCell
    from seqnets.nn.cells.minimal import MinLSTMCell as MinLSTMCell
    from seqnets.nn.cells.vanilla import VanillaCell as VanillaCell

    CELLS: dict[str, type[Any]]
    """The classes of cells, by the name that models and the command line have for them."""

if not TYPE_CHECKING:
    _classes = [(kind.module, kind.cell) for kind in KINDS.values()] + [("base", "Cell")]
    _homes = {module: [cell for home, cell in _classes if home == module] for module, _ in _classes}
    _found, __dir__, __all__ = on_demand(__name__, _homes, own=["CELLS", "KINDS", "CellKind"])

    def __getattr__(name: str) -> Any:
        if name == "CELLS":
            return {key: getattr(import_module(f"{__name__}.{kind.module}"), kind.cell) for key, kind in KINDS.items()}
        return _found(name)
