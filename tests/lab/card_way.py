"""Run in a guest: the card at 0000:01:00.0, by which this process reaches something that answers as a broker does, is
detached by force, which takes the way along and is undone.

    python -m tests.lab.card_way INTERFACE NETWORK PORT

In QEMU's user network, host number 2 is the loopback of the machine outside.
"""

import os
import socket
import sys
from contextlib import suppress
from datetime import timedelta

from hwcensus.command import Command
from hwcensus.instant import now
from hwcensus_agent.commands.census_port import Target
from hwcensus_agent.commands.executors import binders
from hwcensus_agent.rtnetlink import RouteSocket
from hwcensus_agent.way import Broker, Way, WayLost
from tests.fixtures.far_broker import run

CARD = "0000:01:00.0"


def has_all(interface: str, own: str, beyond: str) -> bool:
    """Whether the interface is up with its address, and the route that goes by it."""
    with RouteSocket() as route:
        link = route.link_by_name(interface)
        assert link is not None
        addresses = {one.text for one in route.dump_addresses() if one.index == link.index}
        return link.up and own in addresses and route.link_towards(beyond) == link.index


def main(interface: str, network: str, port: int) -> None:
    own, far, beyond = f"{network}.15", f"{network}.2", "198.51.100.2"
    run(f"ip link set {interface} up")
    run(f"ip address add {own}/24 dev {interface}")
    run(f"ip route add 198.51.100.0/24 via {far} dev {interface}")
    order = Command(
        id="0192e7aa", type="detach", expires=now() + timedelta(days=1), identity=CARD, name="pci_0000_01_00_0",
        force=True,
    )  # fmt: skip
    syspath = os.path.realpath(f"/sys/bus/pci/devices/{CARD}")
    card = Target(identity=CARD, name="pci_0000_01_00_0", syspath=syspath, subsystem="pci", driver="e1000e")
    binder = binders(Way([], limit=0.1, attempt=1.0), "/sys")["pci"]
    answer(far, port)  # the link of a card takes a while to come up
    with socket.create_connection((far, port), timeout=10):
        mark = binder.check(order, card)
        with suppress(WayLost):
            binder.bind(order, card)
            raise AssertionError("the way was not lost")
        binder.undo(order, card, mark)
    assert has_all(interface, own, beyond)
    answer(far, port)
    sys.stdout.write("undone\n")


def answer(address: str, port: int) -> None:
    """Waits until it does."""
    assert Way([], limit=30.0).lost([Broker(address=address, port=port)]) == []


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
