"""The rules of the fold, one by one, told as small exchanges between a host and the collector's memory of it."""

import copy
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwcensus.event import Event, Evidence, Gap, Present, Produced, Result
from hwcensus_collector.ingest.fold import accept, fold, lose
from hwcensus_collector.ingest.reconcile import ONE_BY_ONE, totals_of, wanted_devices
from hwcensus_collector.ingest.record import of_event
from hwcensus_collector.ingest.state import HostState
from hwcensus_collector.ingest.step import Step, Version
from tests.fixtures.simulated_host import Nic, SimulatedHost

OFFLINE = timedelta(seconds=600)


class Memory:
    """What the collector knows of one host, and everything that the fold said on the way."""

    def __init__(self) -> None:
        self.state = HostState(id="?")
        self.versions: list[Version] = []
        self.notes: list[str] = []
        self.steps: list[Step] = []

    def hear(self, *events: Event, later: float = 0, broken: bool = False) -> Step:
        """Folds events as the broker got them: `later` seconds after the agent's time."""
        for event in events:
            record = of_event(event, event.time + timedelta(seconds=later))
            if broken:
                record = record._replace(event=None, reading=None)
            self.take(fold(self.state, record, OFFLINE))
        return self.steps[-1]

    def take(self, step: Step) -> None:
        self.steps.append(step)
        self.versions.extend(step.versions)
        self.notes.extend(step.notes)
        self.state.take(step)

    @property
    def kinds(self) -> list[tuple[str, str]]:
        return [(version.kind, version.name) for version in self.versions]

    def wanted(self) -> str | None:
        return self.state.healing.wanted

    @property
    def present(self) -> set[str]:
        return {identity for identity, held in self.state.devices.items() if held.present}


@pytest.fixture
def host() -> SimulatedHost:
    return SimulatedHost()


@pytest.fixture
def memory() -> Memory:
    return Memory()


# Rule 1


def test_a_stream_without_gaps_is_history_word_for_word(host: SimulatedHost, memory: Memory) -> None:
    memory.hear(host.hello(), host.add(Nic(0)), host.add(Nic(1)), host.change_facts(0, "igb"), host.remove(1))
    assert memory.kinds == [
        ("add", "net_eth0"), ("add", "net_eth1"), ("change", "net_eth0"), ("remove", "net_eth1"),
    ]  # fmt: skip
    memory.hear(host.heartbeat())
    assert memory.notes == []
    assert memory.wanted() is None
    assert memory.state.covered is not None


def test_what_comes_again_is_a_duplicate(host: SimulatedHost, memory: Memory) -> None:
    memory.hear(host.hello(), add := host.add(Nic(0)), host.change_facts(0, "igb"))
    add = replace(add, device=Nic(0).element())
    step = memory.hear(add)
    assert (step.notes, step.folded, step.versions) == (["duplicate"], False, [])


def test_a_missing_seq_is_a_gap_and_what_follows_applies(host: SimulatedHost, memory: Memory) -> None:
    memory.hear(host.hello(), host.add(Nic(0)))
    host.add(Nic(1))
    step = memory.hear(host.change_facts(0, "igb"))
    assert step.notes == ["seq-gap"]
    assert [(stretch.begins, stretch.reason) for stretch in step.stretches] == [(False, "seq-gap")]
    assert memory.kinds[-1] == ("change", "net_eth0")
    assert memory.wanted() == "manifest"


def test_a_record_that_cannot_be_read_keeps_its_place(host: SimulatedHost, memory: Memory) -> None:
    memory.hear(host.hello())
    memory.hear(host.add(Nic(0)), broken=True)
    memory.hear(host.add(Nic(1)))
    assert memory.notes == ["dead-letter"]
    assert memory.wanted() == "manifest"


# What an event does to a thing


def test_a_state_alone_makes_no_version_but_a_transition(host: SimulatedHost, memory: Memory) -> None:
    memory.hear(host.hello(), host.add(Nic(0)))
    step = memory.hear(host.change_link(0, "down"))
    assert step.versions == []
    (transition,) = step.transitions
    assert (transition.path, transition.old, transition.new) == ("net.link", "up", "down")
    memory.hear(host.heartbeat())
    assert memory.notes == []


@pytest.mark.parametrize("kind", ["renumbered", "redescribed"])
def test_a_version_has_the_kind_that_the_agent_gave_it(host: SimulatedHost, memory: Memory, kind: str) -> None:
    memory.hear(host.hello(), host.add(Nic(0)))
    step = memory.hear(host.change(replace(Nic(0), driver="igb"), kind))
    assert [version.kind for version in step.versions] == [kind]
    assert step.versions[0].changed == ("driver",)


def test_what_does_not_fit_applies_as_what_it_amounts_to(host: SimulatedHost, memory: Memory) -> None:
    memory.hear(host.hello())
    memory.hear(host.change(Nic(0)))
    memory.hear(host.add(replace(Nic(0), driver="igb")))
    memory.hear(host.change(replace(Nic(0), driver="ixgbe"), "state"))
    host.devices[Nic(9).identity] = Nic(9)
    memory.hear(host.remove(9))
    assert [kind for kind, _ in memory.kinds] == ["add", "change", "change"]
    assert memory.notes == ["change-of-unknown", "add-of-present", "state-with-facts", "remove-of-unknown"]


def test_a_thing_with_another_identity_stays_the_same_thing(host: SimulatedHost, memory: Memory) -> None:
    memory.hear(host.hello(), host.add(Nic(0)))
    del host.devices[Nic(0).identity]
    step = memory.hear(host.change(Nic(7), was=Nic(0).identity))
    assert step.moved == [(Nic(0).identity, Nic(7).identity)]
    assert [version.kind for version in step.versions] == ["change"]
    assert memory.present == {Nic(7).identity}
    memory.hear(host.heartbeat())
    assert memory.notes == []


def test_an_identity_that_has_its_own_history_is_not_taken_over(host: SimulatedHost, memory: Memory) -> None:
    memory.hear(host.hello(), host.add(Nic(0)), host.add(Nic(7)), host.remove(7))
    del host.devices[Nic(0).identity]
    step = memory.hear(host.change(Nic(7), was=Nic(0).identity))
    assert [(version.kind, version.cause) for version in step.versions] == [("remove", "event"), ("add", "event")]
    assert step.notes == ["was-taken", "change-of-unknown"]
    memory.hear(host.heartbeat())
    assert memory.wanted() is None


def test_a_device_that_was_gone_under_its_former_identity_counts_under_the_new_one(host: SimulatedHost) -> None:
    """Even if it looks as it did: what it adds to the sums has its identity in it."""
    memory = Memory()
    memory.hear(host.hello(), host.add(Nic(0)), host.remove(0))
    told = host.change(Nic(0), was=Nic(0).identity)
    host.devices = {"net/name/eth0": host.devices.pop(Nic(0).identity)}
    memory.hear(replace(told, identity="net/name/eth0"))
    assert memory.present == {"net/name/eth0"}
    assert memory.state.totals == totals_of(host.heartbeat())


def test_versions_name_the_command_that_caused_them(host: SimulatedHost, memory: Memory) -> None:
    memory.hear(host.hello(), host.add(Nic(0), command="c7"), host.remove(0, command="c8"))
    assert [version.cause for version in memory.versions] == ["c7", "c8"]


def test_times_follow_each_other_and_are_not_in_the_future(host: SimulatedHost, memory: Memory) -> None:
    memory.hear(host.hello(), host.add(Nic(0)))
    host.clock -= timedelta(days=365)
    memory.hear(host.change_facts(0, "igb"))
    host.clock += timedelta(days=365 * 50)
    future = host.change_facts(0, "ixgbe")
    memory.hear(future, later=-1000)
    first, second, third = (version.valid_from for version in memory.versions)
    assert second == first
    assert third == future.time - timedelta(seconds=1000)


# Rule 2


def test_a_first_hello_of_an_agent_that_has_told_nothing_is_free_of_gaps(host: SimulatedHost, memory: Memory) -> None:
    step = memory.hear(host.hello())
    assert [(stretch.begins, stretch.reason) for stretch in step.stretches] == [(True, "first")]
    assert memory.wanted() is None
    assert memory.state.about.name == "db7"


def test_a_restart_is_one_small_hello(host: SimulatedHost, memory: Memory) -> None:
    memory.hear(host.hello(), host.add(Nic(0)))
    before = memory.state.place
    step = memory.hear(host.hello())
    assert (step.stretches, step.notes, memory.wanted()) == ([], [], None)
    assert memory.state.left == {before.stream: 2}
    assert memory.state.place.seq == 1


def test_what_happened_while_an_agent_was_down_is_not_covered(host: SimulatedHost, memory: Memory) -> None:
    memory.hear(host.hello(), host.add(Nic(0)))
    down = host.clock
    host.clock += timedelta(hours=1)
    step = memory.hear(host.hello(down_since=down))
    assert [(stretch.begins, stretch.reason) for stretch in step.stretches] == [(False, "down"), (True, "hello")]
    assert step.stretches[0].at == down
    assert memory.wanted() is None


def test_a_hello_after_lost_records_is_a_gap(host: SimulatedHost, memory: Memory) -> None:
    memory.hear(host.hello(), host.add(Nic(0)))
    host.add(Nic(1))
    memory.hear(host.hello())
    assert memory.notes == ["hello-gap"]
    assert memory.wanted() == "manifest"


def test_a_cloned_image_is_held_until_the_older_falls_silent(host: SimulatedHost, memory: Memory) -> None:
    memory.hear(host.hello(), host.add(Nic(0)))
    clone = SimulatedHost(host.host, name="clone", macs=("52:54:00:ff:00:00",))
    clone.clock = host.clock
    memory.hear(clone.hello(), clone.add(Nic(5)))
    conflict = memory.state.conflict
    assert conflict is not None
    assert (conflict.why, conflict.held, memory.present) == ("evidence", 2, {Nic(0).identity})
    assert memory.hear(host.heartbeat()).conflict is not None
    clone.clock += OFFLINE * 2
    assert memory.hear(clone.add(Nic(6))).conflict is None
    assert memory.state.place.stream == clone.stream
    assert memory.wanted() == "stream"


def test_a_conflict_is_over_when_the_claimant_falls_silent(host: SimulatedHost, memory: Memory) -> None:
    memory.hear(host.hello())
    clone = SimulatedHost(host.host, macs=("52:54:00:ff:00:00",))
    clone.clock = host.clock
    memory.hear(clone.hello())
    host.clock += OFFLINE * 2
    memory.hear(host.heartbeat())
    assert memory.state.conflict is None
    assert memory.state.place.stream == host.stream


def test_a_person_may_accept_the_claimant(host: SimulatedHost, memory: Memory) -> None:
    memory.hear(host.hello(), host.add(Nic(0)))
    clone = SimulatedHost(host.host, name="clone", macs=("52:54:00:ff:00:00",))
    clone.clock = host.clock
    memory.hear(clone.hello(), clone.add(Nic(5)))
    memory.take(accept(memory.state, clone.clock))
    step = memory.hear(clone.add(Nic(6)))
    assert step.folded
    assert memory.state.conflict is None
    assert memory.wanted() == "stream"
    memory.hear(*clone.answer("stream", None))
    memory.hear(*clone.answer("manifest", None))
    assert memory.present == {Nic(6).identity}
    memory.hear(*clone.answer("devices", wanted_devices(memory.state)))
    assert memory.present == {Nic(5).identity, Nic(6).identity}
    assert (memory.wanted(), memory.state.about.name) == (None, "clone")


def test_accepting_without_a_conflict_does_nothing(host: SimulatedHost, memory: Memory) -> None:
    memory.hear(host.hello())
    before = copy.deepcopy(memory.state)
    memory.take(accept(memory.state, host.clock))
    assert memory.state == before


def test_new_hardware_takes_over_a_host_long_silent(host: SimulatedHost, memory: Memory) -> None:
    memory.hear(host.hello(), host.add(Nic(0)))
    successor = SimulatedHost(host.host, macs=("52:54:00:ff:00:00",))
    successor.clock = host.clock + OFFLINE * 2
    memory.hear(successor.hello())
    assert memory.state.conflict is None
    assert memory.notes == ["hello-gap"]


# Rule 3


def test_a_wiped_database_meets_a_host_in_the_middle(host: SimulatedHost, memory: Memory) -> None:
    Memory().hear(host.hello(), host.add(Nic(0)), host.add(Nic(1)))
    memory.hear(host.change_facts(0, "igb"), host.remove(1))
    assert memory.kinds == [("add", "net_eth0")]
    assert memory.notes == ["adopted", "change-of-unknown", "remove-of-unknown"]
    assert memory.wanted() == "stream"
    memory.hear(*host.answer("stream", None))
    memory.hear(*host.answer("manifest", None))
    assert memory.wanted() is None
    assert memory.present == set(host.devices)


def test_headers_alone_make_no_host(host: SimulatedHost, memory: Memory) -> None:
    memory.hear(host.hello(), broken=True)
    assert memory.state.place.stream is None


def test_a_stream_without_a_hello_is_held_while_another_is_current(host: SimulatedHost, memory: Memory) -> None:
    memory.hear(host.hello(), host.add(Nic(0)))
    host.hello()
    step = memory.hear(host.add(Nic(1)))
    assert (step.notes, step.folded, memory.state.conflict) == (["held"], False, None)
    assert memory.wanted() == "manifest"
    memory.hear(*host.answer("manifest", None))
    assert memory.state.place.stream == host.stream
    assert memory.wanted() == "stream"


def test_a_stream_that_was_left_and_says_more_is_a_second_agent(host: SimulatedHost, memory: Memory) -> None:
    memory.hear(host.hello(), host.add(Nic(0)))
    old = copy.deepcopy(host)
    memory.hear(host.hello())
    assert memory.hear(old.heartbeat()).notes == ["duplicate"]
    step = memory.hear(old.add(Nic(1)))
    assert step.notes == ["held"]
    assert step.conflict is not None
    assert step.conflict.why == "stream-left"


# Rule 4


def test_a_heartbeat_that_disagrees_is_a_gap(host: SimulatedHost, memory: Memory) -> None:
    memory.hear(host.hello(), host.add(Nic(0)))
    host.devices[Nic(1).identity] = Nic(1)
    memory.hear(host.heartbeat(), host.heartbeat())
    assert memory.notes == ["digest"]
    assert memory.wanted() == "manifest"


def test_a_heartbeat_ahead_of_us_is_a_gap(host: SimulatedHost, memory: Memory) -> None:
    memory.hear(host.hello())
    host.add(Nic(0))
    memory.hear(host.heartbeat())
    assert memory.notes == ["heartbeat-gap"]
    assert memory.state.place.seq == 2


def test_a_heartbeat_behind_us_asks_for_a_new_stream(host: SimulatedHost, memory: Memory) -> None:
    memory.hear(host.hello(), host.add(Nic(0)))
    host.seq = 1
    memory.hear(host.heartbeat())
    assert memory.notes == ["rolled-back"]
    assert memory.wanted() == "stream"


def test_a_heartbeat_that_agrees_ends_the_healing(host: SimulatedHost, memory: Memory) -> None:
    memory.hear(host.hello(), host.add(Nic(0)))
    memory.take(lose(memory.state, host.clock))
    assert memory.wanted() == "manifest"
    step = memory.hear(host.heartbeat())
    assert memory.wanted() is None
    assert [(stretch.begins, stretch.reason) for stretch in step.stretches] == [(True, "heartbeat")]


# Rule 5


def in_need(host: SimulatedHost, memory: Memory, *, missing: int = 1) -> None:
    """The memory lacks `missing` devices and holds one too many."""
    memory.hear(host.hello(), host.add(Nic(0)), host.add(Nic(1)))
    host.remove(1)
    for number in range(10, 10 + missing):
        host.add(Nic(number))
    memory.hear(host.heartbeat())


def test_a_whole_manifest_closes_and_asks(host: SimulatedHost, memory: Memory) -> None:
    in_need(host, memory)
    step = memory.hear(*host.manifest())
    assert [(version.kind, version.name, version.cause) for version in step.versions] == [
        ("remove", "net_eth1", "reconciled")
    ]
    assert (memory.wanted(), wanted_devices(memory.state)) == ("devices", [Nic(10).identity])
    step = memory.hear(*host.present([Nic(10).identity]))
    assert [(version.kind, version.cause) for version in step.versions] == [("add", "reconciled")]
    assert memory.wanted() is None
    assert [stretch.reason for stretch in step.stretches] == ["manifest"]


def test_many_differences_ask_for_everything(host: SimulatedHost, memory: Memory) -> None:
    in_need(host, memory, missing=ONE_BY_ONE + 1)
    memory.hear(*host.manifest())
    assert (memory.wanted(), wanted_devices(memory.state)) == ("all", None)
    memory.hear(*host.answer("all", None))
    assert memory.wanted() is None
    assert memory.present == set(host.devices)


def test_a_manifest_comes_in_parts(host: SimulatedHost, memory: Memory) -> None:
    in_need(host, memory, missing=5)
    first, second, third = host.manifest(parts=3)
    assert memory.hear(first, second).versions == []
    assert len(memory.hear(third).versions) == 1


@pytest.mark.parametrize("lost", [0, 1, 2])
def test_a_cut_manifest_closes_nothing(host: SimulatedHost, memory: Memory, lost: int) -> None:
    in_need(host, memory, missing=5)
    parts = host.manifest(parts=3)
    del parts[lost]
    memory.hear(*parts)
    assert "remove" not in {version.kind for version in memory.versions}
    memory.hear(host.heartbeat())
    assert memory.wanted() == "manifest"


def test_a_manifest_that_miscounts_closes_nothing(host: SimulatedHost, memory: Memory) -> None:
    in_need(host, memory)
    (whole,) = host.manifest()
    memory.hear(replace(whole, count=whole.count + 1))
    assert memory.notes[-1] == "manifest-miscounted"
    assert "remove" not in {version.kind for version in memory.versions}


def test_a_device_that_cannot_be_read_is_refused_and_asked_for_no_more(host: SimulatedHost, memory: Memory) -> None:
    in_need(host, memory)
    memory.hear(*host.manifest())
    memory.hear(*host.present([Nic(10).identity]), broken=True)
    assert memory.wanted() == "manifest"
    memory.hear(*host.manifest())
    assert set(memory.state.healing.refused) == {Nic(10).identity}
    assert memory.wanted() is None
    memory.hear(host.change_facts(0, "igb"), host.heartbeat())
    assert memory.wanted() is None, "what is refused counts as held"
    memory.hear(host.change_facts(10, "igb"), host.heartbeat())
    assert (memory.state.healing.refused, memory.wanted()) == ({}, None)


def test_an_answer_that_cannot_be_read_refuses_no_other_device_that_was_asked_for_meanwhile(
    host: SimulatedHost, memory: Memory
) -> None:
    memory.hear(host.hello())
    memory.hear(host.add(Nic(0)), broken=True)
    memory.hear(*host.manifest())
    assert wanted_devices(memory.state) == [Nic(0).identity]
    host.add(Nic(1))  # lost on the way
    shown, answer = host.manifest(), host.present([Nic(0).identity])
    memory.hear(*shown)
    memory.hear(*answer, broken=True)
    memory.hear(*host.manifest())
    assert set(memory.state.healing.refused) == {Nic(0).identity}
    assert wanted_devices(memory.state) == [Nic(1).identity]


def test_an_answer_that_is_not_what_the_manifest_showed_is_refused_in_the_end(
    host: SimulatedHost, memory: Memory
) -> None:
    in_need(host, memory)
    memory.hear(*host.manifest())
    (answer,) = host.present([Nic(10).identity])
    memory.hear(Present(**(vars(answer) | {"device": replace(Nic(10), driver="other").element()})))
    assert memory.wanted() == "manifest"
    memory.hear(*host.manifest())
    assert set(memory.state.healing.refused) == {Nic(10).identity}
    assert memory.wanted() is None


# Gaps and results


def test_lost_signals_split_the_record_and_ask_for_nothing(host: SimulatedHost, memory: Memory) -> None:
    memory.hear(host.hello(), host.add(Nic(0)))
    begin = host.clock
    host.clock += timedelta(seconds=60)
    step = memory.hear(Gap(**host.stamp(), source="udev", from_=begin, to=host.clock, reason="netlink-overflow"))
    assert [(stretch.begins, stretch.at) for stretch in step.stretches] == [(False, begin), (True, host.clock)]
    assert memory.wanted() is None


def test_a_result_is_handed_on(host: SimulatedHost, memory: Memory) -> None:
    memory.hear(host.hello())
    produced = (Produced(identity="net/place/br0", name="net_br0"),)
    result = Result(**host.stamp(), command="c1", state="succeeded", produced=produced)
    assert memory.hear(result).results == [(result, host.clock)]
    assert memory.hear(result).results == []


# Whatever the host does, while nothing is lost

ACTIONS = st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["e1000e", "igb", "down", "up", "gone"])), max_size=30)


@given(ACTIONS, st.lists(st.integers(0, 60), max_size=10))
def test_history_of_a_whole_stream_has_every_event_once_in_order(
    actions: list[tuple[int, str]], again: list[int]
) -> None:
    """Duplicates, however late, change nothing."""
    host, memory = SimulatedHost(), Memory()
    said: list[Event] = [host.hello()]
    expected: list[tuple[str, str]] = []
    for number, action in actions:
        nic = host.devices.get(Nic(number).identity)
        if nic is None:
            said.append(host.add(Nic(number)))
            expected.append(("add", Nic(number).name))
        elif action == "gone":
            said.append(host.remove(number))
            expected.append(("remove", nic.name))
        elif action in ("up", "down"):
            said.append(host.change_link(number, action))
        else:
            expected += [("change", nic.name)] if nic.driver != action else []
            said.append(host.change_facts(number, action))
    for position in again:
        place = position % len(said)
        said.insert(len(said) - place // 2, said[place // 2])
    memory.hear(*(copy.deepcopy(event) for event in said))
    memory.hear(host.heartbeat())
    assert memory.kinds == expected
    assert memory.present == set(host.devices)
    assert set(memory.notes) <= {"duplicate"}
    assert memory.wanted() is None


@given(st.sets(st.sampled_from("abc")), st.sets(st.sampled_from("abc")))
def test_evidence_contradicts_only_by_what_both_know(mine: set[str], theirs: set[str]) -> None:
    both = bool(mine) and bool(theirs)
    contradicts = Evidence(macs=tuple(mine)).contradicts(Evidence(macs=tuple(theirs)))
    assert contradicts == (both and not mine & theirs)
