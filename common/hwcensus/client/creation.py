"""What a creation may ask for beside its document, on one host or on many."""

from typing import TypedDict


class Creation(TypedDict, total=False):
    """`require="online"` undoes a port that does not become so; `persistent` has the host make it again at every boot;
    `force` does it also where the way to the collector may be lost; `pool` is where its WWNs come from; `valid` are the
    seconds until the order expires."""

    require: str | None
    persistent: bool
    force: bool
    pool: str | None
    valid: float | None


def creation_query(asked: Creation) -> dict[str, str | None]:
    """As the API takes it: what is not asked for is left out."""
    given = ((name, value) for name, value in asked.items() if value is not None and value is not False)
    return {name: "yes" if value is True else str(value) for name, value in given}
