"""Every kind of cell, once; the suites in this folder run through the table."""

from typing import NamedTuple

import seqnets.nn as snn
from oracles import recurrent as oracle


class Case(NamedTuple):
    name: str
    build: type[snn.Cell]
    options: dict
    oracle: object


CASES = [
    Case("vanilla-tanh", snn.VanillaCell, {}, oracle.vanilla),
    Case("vanilla-relu", snn.VanillaCell, {"activation": "relu"}, oracle.vanilla),
    Case("vanilla-norm", snn.VanillaCell, {"layer_norm": True}, oracle.vanilla),
    Case("lstm", snn.LSTMCell, {}, oracle.lstm),
    Case("lstm-norm-zoneout", snn.LSTMCell, {"layer_norm": True, "zoneout": (0.4, 0.1)}, oracle.lstm),
    Case("gru-after", snn.GRUCell, {}, oracle.gru_after),
    Case("gru-before", snn.GRUCell, {"reset": "before"}, oracle.gru_before),
    Case("gru-before-norm", snn.GRUCell, {"reset": "before", "layer_norm": True, "zoneout": 0.2}, oracle.gru_before),
    Case("highway-1", snn.HighwayCell, {"depth": 1}, oracle.highway),
    Case("highway-3", snn.HighwayCell, {"depth": 3}, oracle.highway),
    Case("highway-2-norm", snn.HighwayCell, {"depth": 2, "layer_norm": True}, oracle.highway),
    Case("mingru", snn.MinGRUCell, {}, oracle.mingru),
    Case("mingru-norm-zoneout", snn.MinGRUCell, {"candidate": "tanh", "layer_norm": True, "zoneout": 0.2}, oracle.mingru),
    Case("minlstm", snn.MinLSTMCell, {"candidate": "identity"}, oracle.minlstm),
]
IDS = [case.name for case in CASES]
CORE_NAMES = ("vanilla-tanh", "lstm-norm-zoneout", "gru-after", "gru-before", "highway-3", "minlstm")
CORE = [case for case in CASES if case.name in CORE_NAMES]
CORE_IDS = [case.name for case in CORE]
