"""The recurrent cells: they hold weights; the arithmetic is in `seqnets.ops`.

A cell is two maps. `project(x)` is everything that depends on the input alone, so a whole sequence goes through it as one large
matrix product; `step(carry, projected)` is the rest, which must wait for the previous step. `cell(carry, x)` applies both,
so each cell is an `nnx.RNNCellBase` and also works inside Flax's own `nnx.RNN`.
"""

from seqnets.nn.cells.base import Cell as Cell
from seqnets.nn.cells.gru import GRUCell
from seqnets.nn.cells.highway import HighwayCell
from seqnets.nn.cells.lstm import LSTMCell
from seqnets.nn.cells.minimal import MinGRUCell, MinLSTMCell
from seqnets.nn.cells.vanilla import VanillaCell

CELLS = {
    "vanilla": VanillaCell,
    "lstm": LSTMCell,
    "gru": GRUCell,
    "highway": HighwayCell,
    "mingru": MinGRUCell,
    "minlstm": MinLSTMCell,
}
