"""What a host says of an order before it is given: who uses the device, and whether its policy allows it."""

from typing import Protocol, Unpack

from hwcensus.cli.follow import raise_unless_succeeded
from hwcensus.cli.output import say
from hwcensus.client import Command, Host
from hwcensus.client.order import Order
from hwcensus.errors import Refused, Unreachable

#: Seconds that a person waits for it.
PATIENCE_S = 5.0


class Check(Protocol):
    """Asks the host of one device about one order."""

    def __call__(self, **asked: Unpack[Order]) -> Command: ...


def ask_host(host: Host, check: Check, *, force: bool) -> None:
    """Shows it, or that nobody knows. Raises Refused where the host would refuse, unless that is for `force`."""
    if host.status != "online":
        say(f"its host is {host.status}: who uses it is not known")
        return
    try:
        raise_unless_succeeded(check(valid=PATIENCE_S).wait(PATIENCE_S))
    except Unreachable:
        say(f"its host did not say within {PATIENCE_S:g} s who uses it")
    except Refused as error:
        if not force:
            raise
        say(f"its host is against it: {error.code}: {error}")
    else:
        say("its host sees nobody who uses it, and has nothing against it")
