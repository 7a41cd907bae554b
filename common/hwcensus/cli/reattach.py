"""`hwcensus reattach HOST DEVICE`: orders that the host's own driver take a device again, after asking."""

import argparse

from hwcensus.cli.detach import passthrough_facts
from hwcensus.cli.follow import order_key
from hwcensus.cli.parser import connect
from hwcensus.cli.target import add_target, order


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_target(parser)
    parser.set_defaults(verb="reattach")


def run(arguments: argparse.Namespace) -> int:
    with connect(arguments) as client:
        host = client.host(arguments.host)
        device = host.lookup_by_name(arguments.device)
        key = order_key(arguments)
        return order(
            arguments,
            host,
            device,
            lambda: device.reattach(force=arguments.force, idempotency_key=key),
            lambda devices: passthrough_facts(device, devices),
        )
