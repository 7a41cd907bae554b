"""`hwcensus destroy HOST DEVICE`: orders that a device be destroyed, after asking."""

import argparse

from hwcensus.cli.target import add_target, order_target


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_target(parser)
    parser.set_defaults(verb="destroy")


def run(arguments: argparse.Namespace) -> int:
    return order_target(arguments, lambda device, how: device.destroy(**how))
