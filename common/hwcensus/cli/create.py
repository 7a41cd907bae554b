"""`hwcensus create HOST FILE`: orders a device by its document, after asking where that takes something away."""

import argparse
import sys
from pathlib import Path

from hwcensus.cli.follow import add_order, finish, follow, order_key
from hwcensus.cli.parser import add_url, connect
from hwcensus.cli.taken import confirm_taken
from hwcensus.cli.target import add_check, add_yes
from hwcensus.client.creation import Creation
from hwcensus.errors import UsageError
from hwcensus.parser import FILE


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_url(parser)
    add_order(parser)
    parser.add_argument("host", metavar="HOST", help="name or id")
    parser.add_argument("file", metavar="FILE", type=FILE, help="the document of the device; - reads it from stdin")
    add_creation(parser)
    add_check(parser)
    add_yes(parser)


def add_creation(
    parser: argparse.ArgumentParser, *, force: str = "also where the way to the collector may be lost"
) -> None:
    """What a creation may ask for beside its document; `force` says what that is about."""
    parser.add_argument("--require", metavar="WHAT", help="online: undone where the port does not become so")
    parser.add_argument("--persistent", action="store_true", help="the host makes it again at every boot")
    parser.add_argument("--force", action="store_true", help=force)
    parser.add_argument("--pool", metavar="POOL", help="where its WWNs come from")


def run(arguments: argparse.Namespace) -> int:
    xml = read_document(arguments.file)
    with connect(arguments) as client:
        host = client.host(arguments.host)
        key, wishes = order_key(arguments), asked(arguments)
        if arguments.check:
            return follow(host.check_creation(xml, idempotency_key=key, **wishes), arguments)
        if not arguments.yes:
            confirm_taken(xml, [host], force=arguments.force)
        return finish(host.create_device(xml, idempotency_key=key, **wishes), arguments)


def asked(arguments: argparse.Namespace) -> Creation:
    """What `add_creation` took."""
    return {
        "require": arguments.require,
        "persistent": arguments.persistent,
        "force": arguments.force,
        "pool": arguments.pool,
        "valid": arguments.valid,
    }


def read_document(file: str) -> str:
    """What FILE holds. Raises UsageError."""
    if file == "-" and sys.stdin is None:
        raise UsageError("-: stdin is closed; give a file with the device's document")
    try:
        return sys.stdin.buffer.read().decode() if file == "-" else Path(file).read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}; give a file with the device's document, or -") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{file}: not UTF-8 ({error.reason}); give a file with the device's document") from error
