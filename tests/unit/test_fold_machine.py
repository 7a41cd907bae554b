"""The fold against everything that may happen to a stream of records, in any order: a Hypothesis state machine.

The model is the hosts themselves (`SimulatedHost`) and an inventory built from nothing but the versions that the fold
gives out. Between faults a healing exchange is played as relay and agent play it.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from hwcensus.event import Event, Manifest, Told
from hwcensus_collector.ingest.fold import accept, fold
from hwcensus_collector.ingest.reconcile import wanted_devices
from hwcensus_collector.ingest.record import Record, of_event
from hwcensus_collector.ingest.state import HostState, Totals
from hwcensus_collector.ingest.step import Step
from hwcensus_collector.ingest.thing import RECONCILED
from tests.fixtures.simulated_host import BEGIN, Nic, SimulatedHost

OFFLINE = timedelta(seconds=600)
NUMBERS = st.integers(0, 5)
DRIVERS = st.sampled_from(["e1000e", "igb", "ixgbe"])
LINKS = st.sampled_from(["up", "down"])
HOST = "4c4c4544-0042-3010-8051-b4c04f4d3132"


class FoldMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.now = BEGIN
        self.agent = SimulatedHost(HOST)
        self.clone: SimulatedHost | None = None
        self.on_the_way: list[Event] = []
        self.delivered: list[Record] = []
        self.unspeakable: set[str] = set()
        self.wipe()

    @initialize()
    def begin(self) -> None:
        self.on_the_way.append(self.agent.hello())

    # What the host and its agent do.

    @rule(number=NUMBERS, driver=DRIVERS)
    def device_comes_or_changes(self, number: int, driver: str) -> None:
        self._change(self.agent, number, driver)

    @rule(number=NUMBERS, link=LINKS)
    def link_goes_up_or_down(self, number: int, link: str) -> None:
        if Nic(number).identity in self.agent.devices:
            self.on_the_way.append(self.agent.change_link(number, link))

    @rule(number=NUMBERS)
    def device_goes(self, number: int) -> None:
        if Nic(number).identity in self.agent.devices:
            self.on_the_way.append(self.agent.remove(number))

    @rule(number=NUMBERS, other=NUMBERS)
    def device_gets_another_identity(self, number: int, other: int) -> None:
        was, now = Nic(number), Nic(other)
        if was.identity in self.agent.devices and now.identity not in self.agent.devices:
            nic = replace(self.agent.devices.pop(was.identity), number=other)
            self.on_the_way.append(self.agent.change(nic, was=was.identity))

    @rule(number=NUMBERS)
    def a_device_becomes_unspeakable(self, number: int) -> None:
        """From now on every record that has its document is broken."""
        self.unspeakable.add(Nic(number).identity)

    @rule()
    def an_older_memory_wakes_up(self) -> None:
        """The agent's machine was set back to a snapshot, while it ran."""
        if self.agent.seq > 2:
            self.agent.seq -= 2

    @rule()
    def heartbeat(self) -> None:
        self.on_the_way.append(self.agent.heartbeat())

    @rule()
    def agent_restarts(self) -> None:
        self.on_the_way.append(self.agent.hello())

    @rule(parts=st.integers(1, 3))
    def manifest(self, parts: int) -> None:
        self.on_the_way.extend(self.agent.manifest(parts))

    @rule()
    def agent_is_asked(self) -> None:
        self._play_relay(self.agent)

    # What happens on the way.

    @precondition(lambda self: self.on_the_way)
    @rule(count=st.integers(1, 4))
    def records_arrive(self, count: int) -> None:
        for _ in range(min(count, len(self.on_the_way))):
            self._arrive()

    @precondition(lambda self: self.on_the_way)
    @rule()
    def a_record_is_lost(self) -> None:
        self.on_the_way.pop(0)

    @precondition(lambda self: len(self.on_the_way) > 1)
    @rule()
    def two_records_change_places(self) -> None:
        self.on_the_way[0], self.on_the_way[1] = self.on_the_way[1], self.on_the_way[0]

    @precondition(lambda self: self.on_the_way)
    @rule()
    def a_record_is_broken(self) -> None:
        record = of_event(self.on_the_way.pop(0), self._tick())
        if record.seq is not None:
            self._deliver(record._replace(event=None, reading=None))

    @precondition(lambda self: self.delivered)
    @rule(data=st.data())
    def an_old_record_comes_again(self, data: st.DataObject) -> None:
        record = data.draw(st.sampled_from(self.delivered))
        self._deliver(record._replace(at=self._tick()))

    @rule()
    def collector_loses_everything(self) -> None:
        self.wipe()

    @rule()
    def a_long_silence(self) -> None:
        self.now += OFFLINE * 2

    # A second machine with the same host id.

    @rule(other_hardware=st.booleans())
    def a_clone_starts(self, other_hardware: bool) -> None:
        macs = ("52:54:00:ff:ff:ff",) if other_hardware else self.agent.evidence.macs
        self.clone = SimulatedHost(HOST, name="clone", macs=macs)
        self.clone.devices = dict(list(self.agent.devices.items())[:2])
        self.on_the_way.append(self.clone.hello())

    @precondition(lambda self: self.clone is not None)
    @rule(number=NUMBERS, driver=DRIVERS)
    def the_clone_speaks(self, number: int, driver: str) -> None:
        assert self.clone is not None
        self._change(self.clone, number, driver)

    @rule()
    def a_person_accepts_the_claimant(self) -> None:
        self._take(accept(self.state, self._tick()))

    # What must hold.

    @invariant()
    def totals_are_those_of_what_is_held(self) -> None:
        totals = Totals()
        for held in self.state.devices.values():
            totals = totals.plus(held) if held.present else totals
        assert self.state.totals == totals

    @invariant()
    def versions_alone_give_the_inventory(self) -> None:
        held = {identity: one.digest for identity, one in self.state.devices.items() if one.present}
        assert self.inventory == held

    @invariant()
    def a_stream_is_current_or_left(self) -> None:
        assert self.state.place.stream not in self.state.left

    def teardown(self) -> None:
        """The clone is switched off, nothing more goes wrong: soon the inventory is the host."""
        while self.on_the_way:
            self._arrive()
        self.now += OFFLINE * 2
        for _ in range(12):
            self.on_the_way.append(self.agent.heartbeat())
            self._play_relay(self.agent)
            while self.on_the_way:
                self._arrive()
        assert self.state.place.stream == self.agent.stream
        assert self.state.conflict is None
        assert self.state.healing.wanted is None
        assert self.state.covered is not None
        assert self.state.about.name == self.agent.name
        held = {i: (one.digest, one.state_hash) for i, one in self.state.devices.items() if one.present}
        parts = {identity: nic.digests() for identity, nic in self.agent.devices.items()}
        wanted = {identity: (one.digest, one.state_hash) for identity, one in parts.items()}
        differing = {identity for identity, _ in held.items() ^ wanted.items()}
        assert differing == set(self.state.healing.refused)
        assert differing <= self.unspeakable

    def wipe(self) -> None:
        self.state = HostState(id=HOST)
        self.inventory: dict[str, bytes] = {}

    def _tick(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now

    def _arrive(self) -> None:
        event = self.on_the_way.pop(0)
        record = of_event(event, self._tick())
        if isinstance(event, Told) and event.identity in self.unspeakable:
            record = record._replace(event=None, reading=None)
        self._deliver(record)

    def _change(self, host: SimulatedHost, number: int, driver: str) -> None:
        if Nic(number).identity in host.devices:
            self.on_the_way.append(host.change_facts(number, driver))
        else:
            self.on_the_way.append(host.add(Nic(number, driver)))

    def _play_relay(self, host: SimulatedHost) -> None:
        """Nothing goes to a host in conflict; what it is asked for goes into its stream."""
        if self.state.healing.wanted is not None and self.state.conflict is None:
            self.on_the_way.extend(host.answer(self.state.healing.wanted, wanted_devices(self.state)))

    def _deliver(self, record: Record) -> None:
        self.delivered.append(record)
        place, devices = self.state.place, dict(self.state.devices)
        step = fold(self.state, record, OFFLINE)
        assert (self.state.place, self.state.devices) == (place, devices), "the fold changes nothing"
        closing = [one for one in step.versions if one.kind == "remove" and one.cause == RECONCILED]
        if closing:
            event = record.event
            assert isinstance(event, Manifest)
            assert event.part == event.parts
        self._take(step)

    def _take(self, step: Step) -> None:
        for was, identity in step.moved:
            if was in self.inventory:
                self.inventory[identity] = self.inventory.pop(was)
        for version in step.versions:
            if version.kind == "remove":
                del self.inventory[version.identity]
            else:
                assert version.digest is not None
                assert self.inventory.get(version.identity) != version.digest, "equal digest, no version"
                self.inventory[version.identity] = version.digest
        self.state.take(step)


FoldMachine.TestCase.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)
TestFold = FoldMachine.TestCase
