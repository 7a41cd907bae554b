"""`hwcensus history HOST DEVICE`: its versions; `hwcensus xml --version N` prints one."""

import argparse

from hwcensus.cli.change import CAUSE, CHANGED, KIND, NAME, NUMBER, UNTIL, WHEN
from hwcensus.cli.output import write_rows
from hwcensus.cli.parser import add_output, add_url, connect


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_url(parser)
    add_output(parser)
    parser.add_argument("host", metavar="HOST", help="name or id")
    parser.add_argument("device", metavar="DEVICE", help="name or identity, also of one that is gone")


def run(arguments: argparse.Namespace) -> int:
    columns = (NUMBER, WHEN, UNTIL, KIND, NAME, CHANGED, CAUSE)
    with connect(arguments) as client:
        device = client.host(arguments.host).lookup_by_name(arguments.device)
        rows = device.history()
        write_rows(rows, columns, lambda version: version.told, output=arguments.output, of="version")
    return 0
