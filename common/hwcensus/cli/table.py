"""Tables, trees and sheets of facts by rich: they fit a terminal; elsewhere they are plain and as wide as needed."""

import sys
from collections.abc import Iterable, Sequence
from typing import TypeVar

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from hwcensus.cli.column import Column
from hwcensus.cli.visible import visible

T = TypeVar("T")
#: As wide as anything: no text is cut or broken where no person looks.
_WIDE = 100_000


def write_table(rows: Iterable[T], columns: Sequence[Column[T]], of: str) -> None:
    """A table with a head; of nothing at all only stderr tells."""
    table = Table(box=None, pad_edge=False, header_style="bold", show_edge=False)
    shown = [column for column in columns if not column.detail]
    for column in shown:
        table.add_column(column.title.upper(), no_wrap=column.whole, overflow="fold")
    for row in rows:
        table.add_row(*(Text(visible(column.cell(row)), overflow="fold") for column in shown))
    if table.row_count:
        render(table)
    else:
        sys.stderr.write(f"hwcensus: no {of}s\n")


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
    terminal = sys.stdout.isatty()
    console = Console(file=sys.stdout, width=None if terminal else _WIDE, highlight=False, markup=False, emoji=False)
    with console.capture() as capture:
        console.print(what)
    sys.stdout.write("".join(f"{line.rstrip()}\n" for line in capture.get().splitlines()))
