"""`hwcensus create HOST FILE`: orders a device by its document."""

import argparse
import sys
from pathlib import Path

from hwcensus.cli.follow import add_order, finish, order_key
from hwcensus.cli.parser import add_url, connect
from hwcensus.errors import UsageError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_url(parser)
    add_order(parser)
    parser.add_argument("host", metavar="HOST", help="name or id")
    parser.add_argument("file", metavar="FILE", help="the document of the device; - reads it from stdin")


def run(arguments: argparse.Namespace) -> int:
    xml = _read(arguments.file)
    with connect(arguments) as client:
        command = client.host(arguments.host).create_device(xml, idempotency_key=order_key(arguments))
        return finish(command, arguments)


def _read(file: str) -> str:
    try:
        return sys.stdin.buffer.read().decode() if file == "-" else Path(file).read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}; give a file with the device's document, or -") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{file}: not UTF-8 ({error.reason}); give a file with the device's document") from error
