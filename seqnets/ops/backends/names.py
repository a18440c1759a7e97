"""The names of the backends; `seqnets.ops.over_time` describes each."""

from typing import Literal

Backend = Literal["auto", "reference", "scan", "native", "parallel", "pallas"]
