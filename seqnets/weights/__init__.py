"""Floor 2: other libraries' weights in and out, strictly: nothing is skipped in silence."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from seqnets.weights.convert import load_weights, save_weights

_HOMES = {"convert": ("load_weights", "save_weights")}
_EXPORTS = {name: module for module, names in _HOMES.items() for name in names}

__all__ = ["load_weights", "save_weights"]


def __getattr__(name: str) -> Any:
    if name not in _EXPORTS:
        raise AttributeError(f"module 'seqnets.weights' has no attribute {name!r}; it has {', '.join(__all__)}")
    return getattr(import_module(f"seqnets.weights.{_EXPORTS[name]}"), name)
