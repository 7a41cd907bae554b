"""`hwcensus xml HOST DEVICE`: its document, of now, of an instant, or of one version."""

import argparse

from hwcensus.cli.output import write_document
from hwcensus.cli.parser import add_at, add_url, connect
from hwcensus.client import Device, Dump
from hwcensus.errors import NotFound


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_url(parser)
    parser.add_argument("host", metavar="HOST", help="name or id")
    parser.add_argument("device", metavar="DEVICE", help="name or identity")
    when = parser.add_mutually_exclusive_group()
    add_at(when)
    when.add_argument("--version", type=int, metavar="N", help="that version, as `hwcensus history` numbers them")
    parser.add_argument("--no-key", action="store_true", help="without the key")
    parser.add_argument("--no-state", action="store_true", help="without the states")


def run(arguments: argparse.Namespace) -> int:
    with connect(arguments) as client:
        device = client.host(arguments.host).lookup_by_name(arguments.device, arguments.at)
        if arguments.version is not None:
            write_document(_of_version(device, arguments.version))
            return 0
        flags = Dump(0) if arguments.no_key else Dump.KEY
        write_document(device.dump_xml(flags if arguments.no_state else flags | Dump.STATE))
    return 0


def _of_version(device: Device, feed: int) -> str:
    for version in device.history():
        if version.feed == feed:
            return version.dump_xml()
    raise NotFound(
        f"{device.name} has no version {feed}; `hwcensus history {device.host_name} {device.name}` lists them",
        code="unknown-version",
    )
