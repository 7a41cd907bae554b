"""`hwcensus detach HOST DEVICE`: orders that the host's driver let go of a PCI or USB device, after asking."""

import argparse

from hwcensus.cli import passthrough
from hwcensus.cli.target import add_target, order_target


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_target(parser)
    parser.add_argument("--driver", metavar="DRIVER", help="who gets it (default: vfio-pci for PCI, nobody for USB)")
    parser.set_defaults(verb="detach")


def run(arguments: argparse.Namespace) -> int:
    return order_target(arguments, lambda device, how: device.detach(driver=arguments.driver, **how), passthrough.facts)
