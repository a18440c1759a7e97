"""Backends that run a recurrence over time, one file each; `seqnets.ops.over_time` chooses."""
