"""`hwcensus destroy HOST DEVICE`: orders that a device be destroyed, after asking."""

import argparse
import sys

from hwcensus.cli.about import about
from hwcensus.cli.follow import add_order, finish, order_key
from hwcensus.cli.parser import add_url, connect
from hwcensus.cli.visible import visible
from hwcensus.client import Device
from hwcensus.errors import Refused


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_url(parser)
    add_order(parser)
    parser.add_argument("host", metavar="HOST", help="name or id")
    parser.add_argument("device", metavar="DEVICE", help="name or identity")
    parser.add_argument("--yes", action="store_true", help="do not ask")


def run(arguments: argparse.Namespace) -> int:
    with connect(arguments) as client:
        device = client.host(arguments.host).lookup_by_name(arguments.device)
        if not arguments.yes:
            _ask(device)
        return finish(device.destroy(idempotency_key=order_key(arguments)), arguments)


def _ask(device: Device) -> None:
    """Raises Refused unless a person at a terminal says yes."""
    if not sys.stdin.isatty():
        raise Refused("destroying needs a yes, and nobody can be asked here; give --yes", code="not-confirmed")
    words = filter(None, (f"{device.name} of {device.host_name}", about(device.facts)))
    sys.stderr.write(visible(f"destroy {', '.join(words)}? [y/N] "))
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise Refused("not confirmed; nothing was ordered", code="not-confirmed")
