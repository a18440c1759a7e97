"""The names of the ways to run a recurrence over time; `seqnets.ops.over_time` says what each is."""

from typing import Literal

Backend = Literal["auto", "reference", "scan", "native", "parallel", "pallas"]
