"""The names of the backends; `seqnets.ops.over_time` describes each."""

from typing import Literal

Backend = Literal["auto", "reference", "scan", "native", "parallel", "pallas"]
"""The programs that run a recurrence over time; `auto` chooses one for the device and the layer."""
