"""A network's table as text for people."""

from io import StringIO
from typing import Any

from rich import box
from rich.console import Console, Group
from rich.table import Table

from seqnets.models.summary import LayerRow, Summary

_WIDEST = 10_000
HEADERS = ("layer", "kind", "output", "activations", "parameters", "multiply-adds", "sees")


def summary_table(summary: Summary) -> Group:
    """Format a summary for a terminal: one row per layer, the totals below.

    Args:
        summary: as `seqnets.models.summary.summarize` gives it.

    Returns:
        An object for `rich.print`.
    """
    layers = _table(*HEADERS, left=2, title=_title(summary), title_justify="left", show_footer=True)
    for row in summary.layers:
        layers.add_row(*_cells(row))
    footer = ("total", "", "", _number(summary.activations), _number(summary.parameters), _number(summary.multiply_adds), "")
    for column, text in zip(layers.columns, footer):
        column.footer = text
    return Group(layers, _totals(summary))


def width_of(tables: Group) -> int:
    """Return the line width at which nothing is cut off.

    Example:
        >>> table = Table("layer")
        >>> table.add_row("1234567890")
        >>> width_of(Group(table))
        14
    """
    console = Console(width=_WIDEST)
    return max(console.measure(table).maximum for table in tables.renderables)


def format_summary(summary: Summary, width: int | None = None) -> str:
    """Write a summary as plain text.

    Args:
        summary: as `seqnets.models.summary.summarize` gives it.
        width: characters per line; None for the width at which nothing is cut off.

    Example:
        >>> from seqnets.models.registry import abstract_model
        >>> from seqnets.models.summary import summarize
        >>> text = format_summary(summarize(abstract_model("lenet5"), (28, 28, 1), name="lenet5"))
        >>> print(text.splitlines()[0])
        lenet5 on 28x28x1, per image
    """
    tables = summary_table(summary)
    console = Console(file=StringIO(), width=width or width_of(tables), color_system=None)
    console.print(tables)
    return "\n".join(line.rstrip() for line in console.file.getvalue().splitlines())  # pyright: ignore[reportAttributeAccessIssue]


def _title(summary: Summary) -> str:
    return f"{summary.name or 'network'} on {_shape(summary.input_shape)}, per image"


def _cells(row: LayerRow) -> tuple[str, ...]:
    sees = "all" if row.receptive_field is None else _shape(row.receptive_field)
    counts = (_number(row.activations), _number(row.parameters), _number(row.multiply_adds))
    return (row.name, row.kind, _shape(row.output_shape), *counts, sees)


def _totals(summary: Summary) -> Table:
    use, learn = summary.inference, summary.training
    table = _table("memory", "parameters", "gradients", "optimizer", "activations", "total", left=1)
    sizes = (use.parameter_bytes, 0, 0, use.activation_bytes, use.total_bytes)
    table.add_row(f"inference, batch {summary.batch}", *map(_size, sizes))
    sizes = (learn.parameter_bytes, learn.gradient_bytes, learn.optimizer_bytes, learn.activation_bytes, learn.total_bytes)
    table.add_row(f"training, batch {summary.batch}, {learn.optimizer}", *map(_size, sizes))
    return table


def _table(*headers: str, left: int, **options: Any) -> Table:
    table = Table(box=box.SIMPLE_HEAD, **options)
    for index, header in enumerate(headers):
        table.add_column(header, justify="left" if index < left else "right", no_wrap=True)
    return table


def _shape(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))


def _number(count: int) -> str:
    return f"{count:,}" if count else "-"


def _size(count: int) -> str:
    if not count:
        return "-"
    return f"{count / 2**20:,.1f} MiB" if count >= 2**20 else f"{count / 2**10:,.1f} KiB"
