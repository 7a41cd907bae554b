"""`hwcensus changes`: what changed since a time, in the fleet or on one host."""

import argparse

from hwcensus.cli.change import CAUSE, CHANGED, HOST, IDENTITY, KIND, NAME, NUMBER, WHEN
from hwcensus.cli.output import write_rows
from hwcensus.cli.parser import add_filters, add_output, add_url, connect


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_url(parser)
    add_output(parser)
    add_filters(parser)
    add_kinds(parser)
    start = parser.add_mutually_exclusive_group()
    start.add_argument("--since", metavar="TIME", default="24h", help="7d (ago), 2026-03-01, … (default %(default)s)")
    start.add_argument("--after", type=int, metavar="N", help="only beyond this version, in the feed's order")


def add_kinds(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--kinds", metavar="KIND,…", help="add, change, remove, renumbered, redescribed, or all (default: the first 3)"
    )


def run(arguments: argparse.Namespace) -> int:
    columns = (NUMBER, WHEN, HOST, KIND, NAME, CHANGED, CAUSE, IDENTITY)
    with connect(arguments) as client:
        rows = client.changes(
            since=None if arguments.after is not None else arguments.since,
            after=arguments.after,
            host=arguments.host,
            cap=arguments.cap,
            kinds=arguments.kinds,
        )
        write_rows(rows, columns, lambda version: version.told, output=arguments.output, of="change")
    return 0
