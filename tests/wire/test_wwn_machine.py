"""The life of WWPNs under any order of events: never two holders, and none given that may be there unseen.

The model knows what the collector does not: which ports really are there, also those whose host has not told.
"""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import ClassVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import Engine, delete, select, update

from hwcensus.errors import Refused
from hwcensus.instant import now
from hwcensus_collector import tables
from hwcensus_collector.database import writing
from hwcensus_collector.relay.ends import abandon, cancel
from hwcensus_collector.wwns.life import adopt
from hwcensus_collector.wwns.pool import add_pool
from tests.wire.relay_world import HOST, database
from tests.wire.san_world import (
    FIRST,
    OTHER,
    PORT5,
    SAN,
    add_port,
    add_san_host,
    named,
    order,
    order_destroy,
    remove,
    send_out,
    told,
    vport,
)

HOSTS = (HOST, OTHER)
NAMES = tuple(f"{int(FIRST, 16) + offset:016x}" for offset in range(4))
CERTAIN, UNCERTAIN = ("kernel-refused", "not-online", "parent-offline"), ("interrupted", "not-seen")


@dataclass
class Order:
    """A create that was queued: where it is, and whether its host has made the port."""

    command: str
    host: str
    wwpn: str
    state: str = "queued"
    made: bool = False


class Names(RuleBasedStateMachine):
    """Two hosts, four names that are asked for or taken from a pool, and names made of the OUI."""

    engine: Engine

    @initialize()
    def begin(self) -> None:
        with writing(self.engine) as connection:
            for table in tables.metadata.sorted_tables:
                if table.name not in ("feed", "audit"):
                    connection.execute(delete(table))
            for host, adapter in zip(HOSTS, (PORT5, "210000e08b9318b1"), strict=True):
                add_san_host(connection, host, f"{host}.example.org")
                add_port(connection, "scsi_host5", adapter, host=host)
            add_pool(connection, "prod", NAMES[0], NAMES[-1], "20000025b5ff0000")
        self.open: list[Order] = []  # may still be made, or have been, without anybody's knowing
        self.ports: dict[str, str] = {}  # WWPN → host, as it really is
        self.untold: dict[str, str] = {}  # of these, those that the census does not show yet
        self.resting: dict[str, str] = {}  # WWPN → host that destroyed it a moment ago

    #: (asked for by name, code) of what was refused.
    refusals: ClassVar[set[tuple[bool, str]]] = set()

    @rule(host=st.sampled_from(HOSTS), asked=st.sampled_from([*NAMES, "pool", "oui"]))
    def orders(self, host: str, asked: str) -> None:
        document = vport(asked if asked in NAMES else None)
        try:
            queued = order(self.engine, document, host, pool="prod" if asked == "pool" else None)
        except Refused as refusal:
            self.refusals.add((asked in NAMES, refusal.code))
            return
        wwpn = named(self.engine, queued.id)["wwpn"]
        assert wwpn not in self.ports, "it is there"
        assert wwpn not in [one.wwpn for one in self.open], "it is on order, or may have been made"
        assert self.resting.get(wwpn, host) == host, "its LUNs are masked to another host still"
        assert asked != "pool" or wwpn not in self.resting, "a pool gives nothing that rests"
        self.open.append(Order(command=queued.id, host=host, wwpn=wwpn))

    def a(self, data: st.DataObject, *states: str) -> Order:
        return data.draw(st.sampled_from([one for one in self.open if one.state in states]))

    def has(self, *states: str) -> bool:
        return any(one.state in states for one in self.open)

    @precondition(lambda self: self.has("queued"))
    @rule(data=st.data())
    def is_sent(self, data: st.DataObject) -> None:
        sent = self.a(data, "queued")
        send_out(self.engine, sent.command)
        sent.state = "sent"

    @precondition(lambda self: self.has("queued"))
    @rule(data=st.data())
    def is_cancelled(self, data: st.DataObject) -> None:
        one = self.a(data, "queued")
        with writing(self.engine) as connection:
            cancel(connection, one.command, actor="alice")
        self.open.remove(one)

    @precondition(lambda self: self.has("sent"))
    @rule(data=st.data(), made=st.booleans())
    def is_abandoned(self, data: st.DataObject, made: bool) -> None:
        one = self.a(data, "sent")
        with writing(self.engine) as connection:
            late = update(tables.command).where(tables.command.c.id == one.command)
            connection.execute(late.values(expires=now() - timedelta(seconds=1)))
            abandon(connection, one.command, actor="alice")
        one.state, one.made = "abandoned", made

    @precondition(lambda self: self.has("sent", "abandoned"))
    @rule(data=st.data())
    def is_made(self, data: st.DataObject) -> None:
        one = self.a(data, "sent", "abandoned")
        if one.state == "abandoned" and not one.made:
            return
        self.appears(one.wwpn, one.host)
        told(self.engine, one.command, "succeeded", host=one.host)
        self.ends(one, there=True)

    @precondition(lambda self: self.has("sent", "abandoned"))
    @rule(data=st.data(), code=st.sampled_from(CERTAIN))
    def is_not_made(self, data: st.DataObject, code: str) -> None:
        one = self.a(data, "sent", "abandoned")
        if not one.made:
            told(self.engine, one.command, "failed", host=one.host, code=code)
            self.ends(one, there=False)

    @precondition(lambda self: self.has("sent", "abandoned"))
    @rule(data=st.data(), made=st.booleans(), code=st.sampled_from(UNCERTAIN))
    def may_be_made(self, data: st.DataObject, made: bool, code: str) -> None:
        """The host answers, so its census will show what there is."""
        one = self.a(data, "sent", "abandoned")
        there = one.made if one.state == "abandoned" else made
        told(self.engine, one.command, "failed", host=one.host, code=code)
        self.ends(one, there=there)
        if there:
            self.untold[one.wwpn] = one.host

    @precondition(lambda self: any(wwpn not in self.untold for wwpn in self.ports))
    @rule(data=st.data(), outcome=st.sampled_from(["succeeded", "failed"]))
    def is_destroyed(self, data: st.DataObject, outcome: str) -> None:
        wwpn = data.draw(st.sampled_from([wwpn for wwpn in self.ports if wwpn not in self.untold]))
        host = self.ports[wwpn]
        queued = order_destroy(self.engine, wwpn, host)
        send_out(self.engine, queued.id)
        if outcome == "succeeded":
            with writing(self.engine) as connection:
                remove(connection, wwpn)
            self.resting[wwpn] = self.ports.pop(wwpn)
        told(self.engine, queued.id, outcome, host=host, code=None if outcome == "succeeded" else "in-use")

    @precondition(lambda self: any(wwpn not in self.untold for wwpn in self.ports))
    @rule(data=st.data())
    def vanishes(self, data: st.DataObject) -> None:
        """By itself, as at a reboot: masking and zoning stay the host's, and so does the name."""
        wwpn = data.draw(st.sampled_from([wwpn for wwpn in self.ports if wwpn not in self.untold]))
        with writing(self.engine) as connection:
            remove(connection, wwpn)
        self.resting[wwpn] = self.ports.pop(wwpn)

    @rule()
    def the_census_catches_up(self) -> None:
        for wwpn, host in self.untold.items():
            self.appears(wwpn, host)
        self.untold.clear()
        with writing(self.engine) as connection:
            adopt(connection)  # as the next order does

    @rule()
    def quarantines_pass(self) -> None:
        self.the_census_catches_up()
        with writing(self.engine) as connection:
            long_ago = now() - timedelta(seconds=SAN.wwn_quarantine + 1)
            connection.execute(update(tables.wwn).values(since=long_ago))
            held = select(tables.wwn.c.wwpn).where(tables.wwn.c.state == "held")
            lost = set(connection.execute(held).scalars())
        self.resting = {wwpn: host for wwpn, host in self.resting.items() if wwpn in lost}

    def appears(self, wwpn: str, host: str) -> None:
        with writing(self.engine) as connection:
            add_port(connection, "scsi_host9", wwpn, host=host, most=None, used=None, parent_wwpn=PORT5)

    def ends(self, one: Order, *, there: bool) -> None:
        self.open.remove(one)
        if there:
            self.ports[one.wwpn] = one.host
            self.resting.pop(one.wwpn, None)

    @invariant()
    def every_open_order_has_its_name_and_no_other_has(self) -> None:
        with self.engine.begin() as connection:
            rows = {row.wwpn: row for row in connection.execute(select(tables.wwn))}
        reserved = {wwpn: row.command for wwpn, row in rows.items() if row.state == "reserved"}
        assert reserved == {one.wwpn: one.command for one in self.open if one.state != "abandoned"}
        unsure = {
            wwpn: row.command
            for wwpn, row in rows.items()
            if row.reason.startswith("abandoned") and row.state == "quarantined"
        }
        assert unsure == {one.wwpn: one.command for one in self.open if one.state == "abandoned"}
        for wwpn, host in self.ports.items():
            assert rows[wwpn].host == host


def test_no_name_ever_has_two_holders(tmp_path: Path) -> None:
    Names.engine = database(f"sqlite:///{tmp_path / 'names.sqlite'}")
    limits = settings(max_examples=40, stateful_step_count=30, deadline=None)
    run_state_machine_as_test(Names, settings=limits)
    assert Names.refusals <= {(True, "wwn-in-use"), (False, "pool-exhausted")}
    Names.engine.dispose()
