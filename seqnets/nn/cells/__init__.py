"""The recurrent cells: they hold weights, and give them to the arithmetic in `seqnets.ops`.

A cell is two maps. `project(x)` is everything that depends on the input alone, so a whole sequence goes through it as one large
matrix product; `step(carry, projected)` is the little that must wait for the step before. `cell(carry, x)` is the one after the
other, so each cell is an `nnx.RNNCellBase` and also works inside Flax's own `nnx.RNN`.
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
