"""Every question of the read side is answered by index: no plan looks through a whole table that grows."""

from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Connection

from hwcensus.instant import now
from hwcensus_collector.inventory import audit, changes, commands, dead_letters, devices, history, hosts, lookup, past
from hwcensus_collector.inventory.audit import AuditFilter
from hwcensus_collector.inventory.commands import CommandFilter
from hwcensus_collector.inventory.cursor import Window
from hwcensus_collector.inventory.filters import DeviceFilter
from hwcensus_collector.relay.retire import retire, unretire
from tests.wire.census_world import BEGAN, World, after, bridge, computer, world
from tests.wire.plans import looked_through

#: Tables that grow with devices, time or use; `host` has a row a host, and whoever lists hosts reads it.
GROWING = ("device", "device_version", "document", "capability", "command", "command_event", "dead_letter", "audit")

_FIRST = Window(limit=1)


def _second(lists: Callable[[Window], "object"]) -> None:
    page = lists(_FIRST)
    lists(Window(limit=1, cursor=page.next))  # type: ignore[attr-defined]


QUESTIONS: dict[str, Callable[[Connection], object]] = {
    "hosts": lambda c: hosts.list_hosts(c, Window()),
    "one host": lambda c: hosts.find_host(c, "web17"),
    "fleet": lambda c: _second(lambda w: devices.list_devices(c, DeviceFilter(), w)),
    "fleet by name": lambda c: _second(lambda w: devices.list_devices(c, DeviceFilter(), w, sort="-name")),
    "by capability": lambda c: devices.list_devices(c, DeviceFilter(cap="bridge"), Window()),
    "by bus": lambda c: devices.list_devices(c, DeviceFilter(bus="pci"), Window()),
    "of a host": lambda c: _second(lambda w: devices.list_devices(c, DeviceFilter(host="a1"), w, sort="name")),
    "by key": lambda c: devices.list_devices(c, DeviceFilter(host="a1", key="/sys/devices"), Window()),
    "count": lambda c: devices.count_devices(c, DeviceFilter(host="a1", cap="net")),
    "by name": lambda c: lookup.find_device(c, "a1", "net_hwc0", xml=True),
    "by identity": lambda c: lookup.find_device(c, "a1", "net/place/net_hwc0"),
    "the past": lambda c: past.list_devices_at(c, after(hours=2), DeviceFilter(), Window()),
    "one of the past": lambda c: past.find_device_at(c, "a1", "net_hwc0", after(hours=2)),
    "history": lambda c: _second(lambda w: history.history_of(c, "a1", "net_hwc0", w)),
    "feed": lambda c: changes.changes_after(c, 1, changes.ChangeFilter(), 10),
    "feed of a host": lambda c: changes.changes_after(c, 1, changes.ChangeFilter(host="a1"), 10),
    "since": lambda c: _second(lambda w: changes.list_changes(c, changes.ChangeFilter(), w, since=BEGAN)),
    "commands": lambda c: commands.list_commands(c, Window(), CommandFilter()),
    "commands of a host": lambda c: commands.list_commands(c, Window(), CommandFilter(host="a1", state="queued")),
    "overdue commands": lambda c: commands.list_commands(c, Window(), CommandFilter(overdue=True)),
    "deeds of somebody": lambda c: audit.list_deeds(c, AuditFilter(actor="local:bob"), Window(), until=now()),
    "deeds of a kind": lambda c: audit.list_deeds(c, AuditFilter(action="host.retire"), Window()),
    "deeds of many kinds": lambda c: audit.list_deeds(c, AuditFilter(action="command."), Window()),
    "deeds about something": lambda c: audit.list_deeds(c, AuditFilter(subject="web17"), Window()),
    "deeds since": lambda c: audit.list_deeds(c, AuditFilter(), Window(), since=BEGAN),
    "dead letters": lambda c: dead_letters.list_dead_letters(c, Window(), host="a1"),
}


@pytest.fixture
def census(sqlite_url: str) -> Iterator[World]:
    with world(sqlite_url) as made:
        made.host("a1", "web17")
        made.tell("a1", computer(), BEGAN)
        made.tell("a1", bridge("hwc0"), after(hours=1))
        made.tell("a1", bridge("hwc0", stp="yes"), now())
        with made.engine.begin() as connection:
            retire(connection, "web17")
            unretire(connection, "web17")
        yield made


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_question_is_answered_by_index(census: World, question: str) -> None:
    with census.engine.connect() as connection:
        assert looked_through(connection, lambda: QUESTIONS[question](connection)).isdisjoint(GROWING)
