"""`hwcensus watch`: changes as they come, until Ctrl-C; a broken connection is made again and misses nothing."""

import argparse
import csv
import sys

from hwcensus.cli.change import CAUSE, CHANGED, HOST, KIND, NAME, WHEN
from hwcensus.cli.changes import add_kinds
from hwcensus.cli.column import plain
from hwcensus.cli.output import put, say, write_line
from hwcensus.cli.parser import add_filters, add_url, connect
from hwcensus.cli.visible import safe_cell, visible
from hwcensus.client import Version

_COLUMNS = (WHEN, HOST, KIND, NAME, CHANGED, CAUSE)
_WIDTHS = (21, 16, 8, 24)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_url(parser)
    parser.add_argument(
        "-o", "--output", choices=("table", "ndjson", "csv"), default="table", help="how the data is written"
    )
    add_filters(parser)
    add_kinds(parser)
    parser.add_argument("--after", type=int, metavar="N", help="begin beyond this version (default: now)")


def run(arguments: argparse.Namespace) -> int:
    with connect(arguments) as client:
        now = client.position()  # a collector that is not there is an error, not a connection that broke
        say("watching; Ctrl-C ends it")
        after = now if arguments.after is None else arguments.after
        changes = client.stream(after=after, host=arguments.host, cap=arguments.cap, kinds=arguments.kinds, trouble=say)
        for change in changes:
            _write(change, arguments.output)
            sys.stdout.flush()
    return 0


def _write(change: Version, output: str) -> None:
    if output == "ndjson":
        write_line(change.told)
    elif output == "csv":
        csv.writer(sys.stdout, lineterminator="\n").writerow([safe_cell(plain(c.value(change))) for c in _COLUMNS])
    else:
        cells = [visible(column.cell(change)) for column in _COLUMNS]
        padded = [cell.ljust(width) for cell, width in zip(cells, _WIDTHS, strict=False)]
        put("  ".join((*padded, *cells[len(_WIDTHS) :])).rstrip())
