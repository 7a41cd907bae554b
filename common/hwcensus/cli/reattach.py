"""`hwcensus reattach HOST DEVICE`: orders that the host's own driver take a device again, after asking."""

import argparse

from hwcensus.cli import passthrough
from hwcensus.cli.target import add_target, order_target


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_target(parser)
    parser.set_defaults(verb="reattach")


def run(arguments: argparse.Namespace) -> int:
    return order_target(arguments, lambda device, how: device.reattach(**how), passthrough.facts)
