"""One table of names a family of networks; where a family has none, its weights are kept under our own names only."""

from importlib import import_module

from seqnets.weights.naming import OURS, Naming

FAMILIES = ("squeezenet",)


def known_namings() -> tuple[Naming, ...]:
    """List all tables, our own names first.

    Example:
        >>> known_namings()[0].source
        'seqnets'
    """
    tables = (import_module(f"seqnets.weights.tables.{family}") for family in FAMILIES)
    return (OURS, *(naming for table in tables for naming in table.NAMINGS))
