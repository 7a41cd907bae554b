"""What an order about a device that is there may say beside it."""

from typing import TypedDict

from hwcensus.client.transport import Query


class Order(TypedDict, total=False):
    """`force` does it also where the device is in use, or the host has doubts; `valid` are the seconds until the order
    expires; `idempotency_key` makes a repetition of the same order harmless."""

    force: bool
    valid: float | None
    idempotency_key: str | None


def order_query(asked: Order) -> Query:
    """As the API takes it, without the key, which goes beside it."""
    return {"force": "yes" if asked.get("force") else None, "valid": asked.get("valid")}
