"""Lazy exports: the names of a package are imported when they are first used, so that using one does not import all."""

from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from typing import Any


def on_demand(
    package: str, homes: Mapping[str, Iterable[str]], *, packages: Iterable[str] = (), own: Iterable[str] = ()
) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """Return the `__getattr__`, the `__dir__` and the `__all__` of a package.

    Args:
        package: its `__name__`.
        homes: the modules (below it, or anywhere if the name begins with "seqnets.") and the names that each of them has.
        packages: the packages below it that are also shown.
        own: the names that it defines itself.

    Example:
        >>> find, names, _ = on_demand("seqnets", {"errors": ["UserError"]}, packages=["ops"])
        >>> names(), find("UserError").__name__, find("ops").__name__
        (['UserError', 'ops'], 'UserError', 'seqnets.ops')
        >>> find("Error")
        Traceback (most recent call last):
        ...
        AttributeError: module 'seqnets' has no attribute 'Error'; it has UserError, ops
    """
    modules = {name: _below(package, module) for module, names in homes.items() for name in names}
    below = {name: _below(package, name) for name in packages}
    everything = sorted({*modules, *below, *own})

    def found(name: str) -> Any:
        if name in modules:
            return getattr(import_module(modules[name]), name)
        if name in below:
            return import_module(below[name])
        raise AttributeError(f"module {package!r} has no attribute {name!r}; it has {', '.join(everything)}")

    return found, lambda: everything, everything


class Late:
    """A module that is imported when one of its names is used.

    Example:
        >>> Late("math").sqrt(4)
        2.0
    """

    def __init__(self, module: str) -> None:
        self._module = module

    def __getattr__(self, name: str) -> Any:
        return getattr(import_module(self._module), name)


def _below(package: str, module: str) -> str:
    return module if module.startswith("seqnets.") else f"{package}.{module}"
