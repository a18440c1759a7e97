"""Floor 1: Flax NNX modules. They hold the weights; `seqnets.ops` does the arithmetic."""

from seqnets.nn.cells import CELLS as CELLS
from seqnets.nn.cells import Cell as Cell
from seqnets.nn.cells import GRUCell as GRUCell
from seqnets.nn.cells import HighwayCell as HighwayCell
from seqnets.nn.cells import LSTMCell as LSTMCell
from seqnets.nn.cells import VanillaCell as VanillaCell
from seqnets.nn.highway import Highway as Highway
from seqnets.nn.regularize import dropout as dropout
from seqnets.nn.regularize import locked_dropout as locked_dropout
from seqnets.nn.rnn import RNN as RNN
from seqnets.nn.stacked import BidirectionalRNN as BidirectionalRNN
from seqnets.nn.stacked import StackedRNN as StackedRNN
from seqnets.ops.recurrent import LSTMState as LSTMState
