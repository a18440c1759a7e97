"""The names that a package shows, imported when they are first used, so that one of them does not cost all the others."""

from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from typing import Any


def on_demand(package: str, homes: Mapping[str, Iterable[str]]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return the `__getattr__` and the `__dir__` of a package.

    Args:
        package: its `__name__`.
        homes: modules below it, and which names each of them has.

    Example:
        >>> find, names = on_demand("seqnets", {"errors": ["UserError"]})
        >>> names(), find("UserError").__name__
        (['UserError'], 'UserError')
        >>> find("Error")
        Traceback (most recent call last):
        ...
        AttributeError: module 'seqnets' has no attribute 'Error'; it has UserError
    """
    modules = {name: module for module, names in homes.items() for name in names}

    def found(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}; it has {', '.join(sorted(modules))}")
        return getattr(import_module(f"{package}.{modules[name]}"), name)

    return found, lambda: sorted(modules)
