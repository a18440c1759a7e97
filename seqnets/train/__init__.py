"""One loop trains every task."""

from typing import TYPE_CHECKING

from seqnets.exports import on_demand

if TYPE_CHECKING:
    from seqnets.train.config import TrainConfig as TrainConfig
    from seqnets.train.loop import Diverged as Diverged
    from seqnets.train.loop import fit as fit
    from seqnets.train.rate_trials import RateTrial as RateTrial
    from seqnets.train.rate_trials import SuggestedRates as SuggestedRates
    from seqnets.train.rate_trials import rate_range as rate_range
    from seqnets.train.rate_trials import suggested_rates as suggested_rates
    from seqnets.train.saving import save_run as save_run
    from seqnets.train.signals import Interrupted as Interrupted
    from seqnets.train.task import BatchSource as BatchSource
    from seqnets.train.task import Task as Task
    from seqnets.train.trackers import TrackedRun as TrackedRun
    from seqnets.train.trackers import Tracker as Tracker

if not TYPE_CHECKING:  # a checker that sees `__getattr__` takes every name for one that exists
    __getattr__, __dir__, __all__ = on_demand(
        __name__,
        {
            "config": ["TrainConfig"],
            "loop": ["Diverged", "fit"],
            "rate_trials": ["RateTrial", "SuggestedRates", "rate_range", "suggested_rates"],
            "saving": ["save_run"],
            "signals": ["Interrupted"],
            "task": ["BatchSource", "Task"],
            "trackers": ["TrackedRun", "Tracker"],
        },
    )
