"""Floor 3: one loop trains every task."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from seqnets.train.config import TrainConfig
    from seqnets.train.loop import Diverged, fit
    from seqnets.train.signals import Interrupted
    from seqnets.train.task import BatchSource, Task

__all__ = [
    "BatchSource",
    "Diverged",
    "Interrupted",
    "Task",
    "TrainConfig",
    "fit",
]

_HOMES = {
    "BatchSource": "task",
    "Diverged": "loop",
    "Interrupted": "signals",
    "Task": "task",
    "TrainConfig": "config",
    "fit": "loop",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"seqnets.train.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'seqnets.train' has no attribute {name!r}; it has {', '.join(__all__)}")
