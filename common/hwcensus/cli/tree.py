"""`hwcensus tree HOST`: its devices below their parents."""

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING

from hwcensus.cli.about import about, kinds
from hwcensus.cli.column import Column
from hwcensus.cli.output import say, write_rows
from hwcensus.cli.parser import add_at, add_output, add_url, connect
from hwcensus.client import Branch

if TYPE_CHECKING:
    from rich.tree import Tree


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_url(parser)
    add_output(parser)
    parser.add_argument("host", metavar="HOST", help="name or id")
    add_at(parser)


def run(arguments: argparse.Namespace) -> int:
    with connect(arguments) as client:
        roots = client.host(arguments.host).tree(arguments.at)
    if arguments.output in ("json", "ndjson"):
        write_rows(roots, (), lambda root: root.told, output=arguments.output, of="device")
    elif arguments.output in ("csv", "xml"):
        rows = [row for root in roots for row in flat(root, 0)]
        write_rows(rows, COLUMNS, lambda row: row[1].told, output=arguments.output, of="device")
    elif not roots:
        say("no devices")
    else:
        from hwcensus.cli.table import render  # rich takes 0.1 s to load

        for root in roots:
            render(_drawn(root))
    return 0


def flat(branch: Branch, depth: int) -> Iterator[tuple[int, Branch]]:
    """The tree as rows, each with its depth, parents first."""
    yield depth, branch
    for child in branch.children:
        yield from flat(child, depth + 1)


def _drawn(branch: Branch) -> "Tree":
    from hwcensus.cli.table import branch as drawn

    tree = drawn(branch.name, _about(branch))
    tree.children.extend(_drawn(child) for child in branch.children)
    return tree


def _about(branch: Branch) -> str:
    driver = f"({branch.driver})" if branch.driver else ""
    return "  ".join(filter(None, (kinds(branch.capabilities, branch.bus), driver, about(branch.facts))))


COLUMNS = (
    Column[tuple[int, Branch]](title="depth", value=lambda row: row[0]),
    Column[tuple[int, Branch]](title="name", value=lambda row: row[1].name),
    Column[tuple[int, Branch]](title="kind", value=lambda row: kinds(row[1].capabilities, row[1].bus)),
    Column[tuple[int, Branch]](title="driver", value=lambda row: row[1].driver),
    Column[tuple[int, Branch]](title="about", value=lambda row: about(row[1].facts)),
    Column[tuple[int, Branch]](title="parent", value=lambda row: row[1].told.get("parent")),
)
