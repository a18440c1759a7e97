"""One loop trains every task."""

from typing import TYPE_CHECKING

from seqnets.exports import on_demand

if TYPE_CHECKING:
    from seqnets.train.config import TrainConfig as TrainConfig
    from seqnets.train.loop import Diverged as Diverged
    from seqnets.train.loop import fit as fit
    from seqnets.train.saving import save_run as save_run
    from seqnets.train.signals import Interrupted as Interrupted
    from seqnets.train.task import BatchSource as BatchSource
    from seqnets.train.task import Task as Task

if not TYPE_CHECKING:  # a checker that sees `__getattr__` takes every name for one that exists
    __getattr__, __dir__, __all__ = on_demand(
        __name__,
        {
            "config": ["TrainConfig"],
            "loop": ["Diverged", "fit"],
            "saving": ["save_run"],
            "signals": ["Interrupted"],
            "task": ["BatchSource", "Task"],
        },
    )
