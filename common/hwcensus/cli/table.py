"""Tables, trees and sheets of facts by rich: they fit a terminal; elsewhere they are plain and as wide as needed."""

import sys
from collections.abc import Iterable, Sequence
from typing import TypeVar

from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from hwcensus.cli.column import Column
from hwcensus.cli.visible import visible

T = TypeVar("T")
#: As wide as anything: no text is cut or broken where no person looks.
_WIDE = 100_000
#: What is left of a column that may be folded.
_LEAST = 7

Cells = Sequence[Sequence[str]]


def write_table(rows: Iterable[T], columns: Sequence[Column[T]], of: str) -> None:
    """A table with a head; of nothing at all only stderr tells."""
    shown = [column for column in columns if not column.detail]
    cells = [[visible(column.cell(row)) for column in shown] for row in rows]
    if not cells:
        sys.stderr.write(f"hwcensus: no {of}s\n")
    elif _least_width(shown, cells) <= _console().width:
        render(_table(shown, cells))
    else:
        _write_sheets(shown, cells)


def _table(columns: Sequence[Column[T]], cells: Cells) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", show_edge=False)
    for column in columns:
        table.add_column(column.title.upper(), no_wrap=column.whole, overflow="fold")
    for row in cells:
        table.add_row(*(Text(cell, overflow="fold") for cell in row))
    return table


def _least_width(columns: Sequence[Column[T]], cells: Cells) -> int:
    """Below this many characters rich would leave columns out."""
    widths = [
        max(map(cell_len, (column.title, *texts))) if column.whole else _LEAST
        for column, texts in zip(columns, zip(*cells, strict=True), strict=True)
    ]
    return sum(widths) + 2 * (len(widths) - 1)


def _write_sheets(columns: Sequence[Column[T]], cells: Cells) -> None:
    """Each row as a sheet of its own, a blank line between them."""
    for number, row in enumerate(cells):
        if number:
            sys.stdout.write("\n")
        write_sheet((column.title, cell) for column, cell in zip(columns, row, strict=True) if cell)


def write_sheet(facts: Iterable[tuple[str, str]]) -> None:
    """Names and values below each other."""
    table = Table(box=None, pad_edge=False, show_header=False, show_edge=False)
    table.add_column(no_wrap=True, style="bold")
    table.add_column(overflow="fold")
    for name, value in facts:
        table.add_row(Text(visible(name)), Text(visible(value), overflow="fold"))
    render(table)


def leaf(name: str, about: str) -> Text:
    """A line of a tree: a name, and what is said about it."""
    return Text.assemble((visible(name), "bold"), ("  ", ""), (visible(about), "dim"), overflow="fold")


def branch(name: str, about: str) -> Tree:
    return Tree(leaf(name, about), guide_style="dim")


def render(what: RenderableType) -> None:
    """To stdout, without blanks at the ends of lines."""
    console = _console()
    with console.capture() as capture:
        console.print(what)
    sys.stdout.write("".join(f"{line.rstrip()}\n" for line in capture.get().splitlines()))


def _console() -> Console:
    width = None if sys.stdout.isatty() else _WIDE
    return Console(file=sys.stdout, width=width, highlight=False, markup=False, emoji=False)
