"""An order about a device of a host, and what it may say beside it."""

from typing import TypedDict

from hwcensus.client.command import Command
from hwcensus.client.transport import Query, Transport


class Order(TypedDict, total=False):
    """`force` does it also where the device is in use, or the host has doubts; `valid` are the seconds until the order
    expires; `idempotency_key` makes a repetition of the same order harmless."""

    force: bool
    valid: float | None
    idempotency_key: str | None


def give(transport: Transport, method: str, path: str, asked: Order, **more: str | None) -> Command:
    """Gives it; `more` goes into the query. Raises HwcensusError as the transport does."""
    query: Query = {"force": "yes" if asked.get("force") else None, "valid": asked.get("valid"), **more}
    return Command.read(transport.order(method, path, query, key=asked.get("idempotency_key")), transport)
