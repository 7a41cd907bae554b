"""Run in a guest's network namespace, where the kernel has bonds: a bond is made of the interface that carries the way
to something that answers as a broker does, by an executor, which undoes it."""

import socket
import sys
from collections.abc import Callable
from datetime import timedelta

from hwcensus import document
from hwcensus.command import Command
from hwcensus.errors import Refused
from hwcensus.instant import now
from hwcensus_agent.commands.executors.bond import BondExecutor
from hwcensus_agent.rtnetlink import RouteSocket
from hwcensus_agent.way import Way
from tests.fixtures.far_broker import BEYOND, FAR, NEAR, NEAR6, PORT, far_broker, run

BOND = (
    b"<device><capability type='net'><interface>hwc0</interface><capability type='bond'><mode>active-backup</mode>"
    b"</capability><state><port>net_v0</port></state></capability></device>"
)


def order(*, force: bool | None) -> Command:
    device = document.parse(BOND)
    return Command(id="0192e7aa", type="create", expires=now() + timedelta(days=1), device=device, force=force)


def has_all() -> bool:
    """Whether v0 is up, with both addresses and the route beyond, and the broker answers."""
    with RouteSocket() as route:
        link = route.link_by_name("v0")
        assert link is not None
        addresses = {one.text for one in route.dump_addresses() if one.index == link.index}
        leaves = route.link_towards(BEYOND) == link.index
    with socket.create_connection((BEYOND, PORT), timeout=10):
        return link.up and link.master is None and {NEAR, NEAR6} <= addresses and leaves


def main() -> None:
    executor = BondExecutor(Way([], limit=0.1, attempt=1.0))
    run("ip link set lo up")
    with far_broker(), socket.create_connection((FAR, PORT), timeout=10):
        assert has_all()
        assert refusal(lambda: executor.check(order(force=None))) == "carries-kafka"
        mark = executor.check(order(force=True))
        assert refusal(lambda: executor.create(order(force=True))) == "way-lost"
        with RouteSocket() as route:
            assert route.link_towards(BEYOND) is None
        executor.undo(order(force=True), mark)
        assert has_all()
        with RouteSocket() as route:
            assert route.link_by_name("hwc0") is None
    sys.stdout.write("undone\n")


def refusal(attempt: Callable[[], object]) -> str | None:
    """The code by which it was refused."""
    try:
        attempt()
    except Refused as error:
        return error.code
    return None


if __name__ == "__main__":
    main()
