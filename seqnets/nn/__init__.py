"""Flax NNX modules. They hold the weights; `seqnets.ops` does the arithmetic."""

from typing import TYPE_CHECKING

from seqnets.exports import on_demand

if TYPE_CHECKING:
    from seqnets.nn.attention import AdditiveAttention as AdditiveAttention
    from seqnets.nn.attention import DotAttention as DotAttention
    from seqnets.nn.batch_norm import BatchNorm as BatchNorm
    from seqnets.nn.cells import CELLS as CELLS
    from seqnets.nn.cells import Cell as Cell
    from seqnets.nn.cells import GRUCell as GRUCell
    from seqnets.nn.cells import HighwayCell as HighwayCell
    from seqnets.nn.cells import LSTMCell as LSTMCell
    from seqnets.nn.cells import MinGRUCell as MinGRUCell
    from seqnets.nn.cells import MinLSTMCell as MinLSTMCell
    from seqnets.nn.cells import VanillaCell as VanillaCell
    from seqnets.nn.cells.tree import RNTNCell as RNTNCell
    from seqnets.nn.cells.tree import SimpleTreeCell as SimpleTreeCell
    from seqnets.nn.cells.tree import TreeLSTMCell as TreeLSTMCell
    from seqnets.nn.chain import Chain as Chain
    from seqnets.nn.conv import Conv as Conv
    from seqnets.nn.conv import ConvTranspose as ConvTranspose
    from seqnets.nn.conv import LocallyConnected as LocallyConnected
    from seqnets.nn.conv_norm import ConvNorm as ConvNorm
    from seqnets.nn.convert import conv_to_dense as conv_to_dense
    from seqnets.nn.convert import dense_to_conv as dense_to_conv
    from seqnets.nn.cudnn import CuDNN as CuDNN
    from seqnets.nn.dense import Dense as Dense
    from seqnets.nn.dense import Flatten as Flatten
    from seqnets.nn.highway import Highway as Highway
    from seqnets.nn.instance_norm import InstanceNorm as InstanceNorm
    from seqnets.nn.local_response import LocalResponseNorm as LocalResponseNorm
    from seqnets.nn.pool import AdaptiveAveragePool as AdaptiveAveragePool
    from seqnets.nn.pool import AveragePool as AveragePool
    from seqnets.nn.pool import GlobalAveragePool as GlobalAveragePool
    from seqnets.nn.pool import MaxPool as MaxPool
    from seqnets.nn.regularize import dropout as dropout
    from seqnets.nn.regularize import locked_dropout as locked_dropout
    from seqnets.nn.rnn import RNN as RNN
    from seqnets.nn.stacked import BidirectionalRNN as BidirectionalRNN
    from seqnets.nn.stacked import StackedRNN as StackedRNN
    from seqnets.nn.stochastic_depth import Dropout as Dropout
    from seqnets.nn.stochastic_depth import StochasticDepth as StochasticDepth
    from seqnets.ops.recurrent import LSTMState as LSTMState

if not TYPE_CHECKING:  # a checker that sees `__getattr__` takes every name for one that exists
    __getattr__, __dir__, __all__ = on_demand(
        __name__,
        {
            "attention": ["AdditiveAttention", "DotAttention"],
            "batch_norm": ["BatchNorm"],
            "cells": ["CELLS", "Cell", "GRUCell", "HighwayCell", "LSTMCell", "MinGRUCell", "MinLSTMCell", "VanillaCell"],
            "cells.tree": ["RNTNCell", "SimpleTreeCell", "TreeLSTMCell"],
            "chain": ["Chain"],
            "conv": ["Conv", "ConvTranspose", "LocallyConnected"],
            "conv_norm": ["ConvNorm"],
            "convert": ["conv_to_dense", "dense_to_conv"],
            "cudnn": ["CuDNN"],
            "dense": ["Dense", "Flatten"],
            "highway": ["Highway"],
            "instance_norm": ["InstanceNorm"],
            "local_response": ["LocalResponseNorm"],
            "pool": ["AdaptiveAveragePool", "AveragePool", "GlobalAveragePool", "MaxPool"],
            "regularize": ["dropout", "locked_dropout"],
            "rnn": ["RNN"],
            "stacked": ["BidirectionalRNN", "StackedRNN"],
            "stochastic_depth": ["Dropout", "StochasticDepth"],
            "seqnets.ops.recurrent": ["LSTMState"],
        },
    )
