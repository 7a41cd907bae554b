"""Bridges made with ports by command, in a real kernel, and the way to Kafka that such a port may carry: refused, or
undone where it is lost, also by an agent that was killed meanwhile."""

import os
import signal
import socket
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from hwcensus import document
from hwcensus.command import Command, IssuedCommand
from hwcensus_agent.commands.executors.bond import BondExecutor
from hwcensus_agent.commands.executors.bridge import BridgeExecutor
from hwcensus_agent.commands.executors.executor import KernelRefused
from hwcensus_agent.commands.executors.kept import Before
from hwcensus_agent.commands.executors.link import InterfaceUnknown
from hwcensus_agent.commands.executors.vlan import VlanExecutor
from hwcensus_agent.commands.subject import Subject
from hwcensus_agent.rtnetlink import Link, LinkChange, LinkMonitor, NewLink, RouteSocket
from hwcensus_agent.way import Broker, Way
from tests.fixtures.far_broker import BEYOND, FAR, PORT, attach, connect, far_broker, run
from tests.reality.test_bridge_executor import answer_of, create, destroy, die_within, ip, link
from tests.reality.test_rtnetlink import BUFFER, heard
from tests.reality.test_sources_namespace import in_namespace

#: Soon tired of waiting.
WAY = Way([], limit=0.1, attempt=0.3)


def of(command: IssuedCommand, kind: str, facts: str = "", *ports: str, force: bool | None = None) -> IssuedCommand:
    """The command with another document."""
    state = "".join(f"<port>{port}</port>" for port in ports)
    raw = (
        f"<device><capability type='net'><interface>hwc0</interface><capability type='{kind}'>{facts}</capability>"
        f"<state>{state}</state></capability></device>"
    )
    return replace(command, device=document.parse(raw.encode()), force=force)


def bridge(*ports: str, force: bool | None = None, command_id: str = "0192e7aa") -> IssuedCommand:
    return of(create(command_id=command_id), "bridge", "", *ports, force=force)


@contextmanager
def connected() -> Iterator[None]:
    with socket.create_connection((FAR, PORT), timeout=10):
        yield


def way_of(name: str) -> tuple[bool, bool, bool]:
    """Whether the interface is up, whether packets to far away leave by it, whether a broker answers."""
    found = link(name)
    with RouteSocket() as route:
        leaves_by_it = found is not None and route.link_towards(BEYOND) == found.index
    return found is not None and found.up, leaves_by_it, Broker(address=FAR, port=PORT).answers(10.0)


WHOLE = (True, True, True)


@in_namespace
def test_a_bridge_takes_its_ports_and_lets_go_of_them(tmp_path: Path) -> None:
    ip("add i0 type ifb")
    ip("add i1 type ifb")
    executor = BridgeExecutor(WAY)
    assert answer_of(tmp_path, bridge("net_i0", "net_i1"), executor).state == "succeeded"
    made, first, second = link("hwc0"), link("i0"), link("i1")
    assert made is not None
    assert first is not None
    assert second is not None
    assert (first.master, second.master) == (made.index, made.index)
    assert made.address == min(str(first.address), str(second.address))
    assert answer_of(tmp_path, destroy(), executor).state == "succeeded"
    freed = link("i0")
    assert freed is not None
    assert freed.master is None


@in_namespace
def test_a_port_that_is_not_there_or_is_anothers_is_refused_by_name(tmp_path: Path) -> None:
    ip("add br0 type bridge")
    ip("add i0 type ifb")
    ip("set i0 master br0")
    executor = BridgeExecutor(WAY)
    unknown = answer_of(tmp_path, bridge("net_i0", "net_i9", command_id="c1"), executor)
    assert (unknown.code, unknown.text) == ("interface-unknown", "there is no interface net_i9 here")
    taken = answer_of(tmp_path, bridge("net_i0", command_id="c2"), executor)
    assert (taken.code, taken.text) == ("port-taken", "i0 is a port of br0 already")
    assert link("hwc0") is None


@in_namespace
def test_an_interface_that_the_policy_does_not_list_is_no_port(tmp_path: Path) -> None:
    ip("add i0 type ifb")
    ip("add nic.0 type ifb")
    answer = answer_of(tmp_path, bridge("net_i0", "net_nic_0"), BridgeExecutor(WAY))
    assert answer.code == "not-allowed"
    assert answer.text is not None
    assert answer.text.endswith("lets bridge create only names hwc* of ports i*, v0, lo, not hwc0 of i0, nic.0")
    listed, unlisted = link("i0"), link("nic.0")
    assert listed is not None
    assert unlisted is not None
    assert (link("hwc0"), listed.master, unlisted.master) == (None, None, None)


@in_namespace
def test_the_policy_is_asked_about_ports_and_what_is_below_by_the_kernels_names() -> None:
    ip("add i.0 type ifb")
    ip("add i1 type ifb")
    bond = of(create(), "bond", "", "net_i_0", "net_i1")
    assert BondExecutor(WAY).subject(bond) == Subject(name="hwc0", lowers=("i.0", "i1"))
    vlan, executor = of(create(), "vlan", "<id>7</id><lower>net_i_0</lower>"), VlanExecutor(WAY)
    assert executor.subject(vlan) == Subject(name="hwc0", lowers=("i.0",))
    ip("del i.0")
    with pytest.raises(InterfaceUnknown, match="there is no interface net_i_0 here"):
        executor.subject(vlan)


@in_namespace
def test_a_name_of_the_census_that_two_interfaces_may_have_is_refused(tmp_path: Path) -> None:
    ip("add i.0 type ifb")
    ip("add i-0 type ifb")
    answer = answer_of(tmp_path, bridge("net_i_0"), BridgeExecutor(WAY))
    assert (answer.code, answer.text) == ("interface-unknown", "net_i_0 may be i.0 and i-0 here: rename one of them")


@in_namespace
def test_what_the_kernel_refuses_as_a_port_leaves_nothing_behind(tmp_path: Path) -> None:
    ip("add i0 type ifb")
    answer = answer_of(tmp_path, bridge("net_i0", "net_lo"), BridgeExecutor(WAY))
    assert (answer.code, link("hwc0")) == ("kernel-refused", None)
    assert answer.text is not None
    assert answer.text.startswith("rtnetlink, hwc0: EINVAL (22): Invalid argument")
    freed = link("i0")
    assert freed is not None
    assert freed.master is None


@in_namespace
def test_a_port_that_carries_the_way_to_kafka_stays_what_it_is_unless_forced(tmp_path: Path) -> None:
    with far_broker(), connected():
        answer = answer_of(tmp_path, bridge("net_v0"), BridgeExecutor(WAY))
        assert (answer.state, answer.code) == ("failed", "carries-kafka")
        assert answer.text is not None
        assert answer.text.startswith(f"v0 carries the way to Kafka, to {FAR}:{PORT}; with force")
        assert (link("hwc0"), way_of("v0")) == (None, WHOLE)


@in_namespace
def test_a_forced_port_that_took_the_way_along_is_released_and_gets_back_what_it_had(tmp_path: Path) -> None:
    with far_broker(), connected():
        answer = answer_of(tmp_path, bridge("net_v0", force=True), BridgeExecutor(WAY))
        assert (answer.code, answer.text) == (
            "way-lost",
            f"the way to Kafka, to {FAR}:{PORT}, was lost by it: it was undone",
        )
        assert (link("hwc0"), way_of("v0")) == (None, WHOLE)


@in_namespace
def test_a_forced_port_stays_where_the_host_gives_its_address_to_the_bridge_in_time(tmp_path: Path) -> None:
    with far_broker(), connected(), as_a_network_daemon():
        executor = BridgeExecutor(Way([], limit=30.0, attempt=0.3))
        assert answer_of(tmp_path, bridge("net_v0", force=True), executor).state == "succeeded"
        assert way_of("hwc0") == WHOLE


@contextmanager
def as_a_network_daemon() -> Iterator[None]:
    """Somebody who moves what v0 had to hwc0 as soon as that has it as its port."""
    monitor = LinkMonitor(receive_buffer=BUFFER)
    child = os.fork()
    if child == 0:
        heard(monitor, lambda events: any(event.change is LinkChange.PORT for event in events))
        run("ip address flush dev v0")
        connect("hwc0")
        os._exit(0)
    monitor.close()
    yield
    os.waitpid(child, 0)


@contextmanager
def bridge_that_carries() -> Iterator[int]:
    """Gives the far end."""
    ip("add hwc0 type bridge")
    with far_broker() as far:
        run("ip address flush dev v0")
        ip("set v0 master hwc0")
        connect("hwc0")
        with connected():
            yield far


def forced(command: IssuedCommand) -> IssuedCommand:
    return replace(command, force=True)


@in_namespace
def test_a_bridge_that_carries_the_way_is_not_deleted_and_forced_it_comes_back_with_all_it_had(tmp_path: Path) -> None:
    with bridge_that_carries():
        before, executor = link("hwc0"), BridgeExecutor(WAY)
        assert answer_of(tmp_path, destroy(command_id="c1"), executor).code == "carries-kafka"
        lost = answer_of(tmp_path, forced(destroy(command_id="c2")), executor)
        assert lost.code == "way-lost"
        after = link("hwc0")
        assert before is not None
        assert after is not None
        assert (after.index, way_of("hwc0")) == (before.index, WHOLE)


@in_namespace
def test_a_bridge_without_which_there_is_another_way_is_deleted_by_force(tmp_path: Path) -> None:
    ip("add hwc0 type bridge")
    run("ip address add 203.0.113.1/32 dev hwc0")
    with far_broker() as far:
        run(f"nsenter --net=/proc/{far}/ns/net ip route add default via 192.0.2.1")
        with socket.create_connection((FAR, PORT), timeout=10, source_address=("203.0.113.1", 0)):
            executor = BridgeExecutor(WAY)
            assert answer_of(tmp_path, destroy(command_id="c1"), executor).code == "carries-kafka"
            assert answer_of(tmp_path, forced(destroy(command_id="c2")), executor).state == "succeeded"
            assert link("hwc0") is None


@in_namespace
def test_what_is_on_top_of_a_bridge_or_ends_in_a_guest_keeps_it_from_being_deleted(tmp_path: Path) -> None:
    ip("add hwc0 type bridge")
    ip("add v0 type veth peer name v1")
    ip("set v0 master hwc0")
    answer = answer_of(tmp_path, destroy(command_id="c1"), BridgeExecutor(WAY))
    assert (answer.code, answer.text) == ("in-use", "v0 of a guest or container is a port of hwc0")
    assert answer_of(tmp_path, forced(destroy(command_id="c2")), BridgeExecutor(WAY)).state == "succeeded"


@in_namespace
def test_what_leads_to_another_namespace_is_on_top_of_nothing_here(tmp_path: Path) -> None:
    ip("add hwc0 type bridge")
    with far_broker():
        ours, pair = link("hwc0"), link("v0")
        assert ours is not None
        assert pair is not None
        assert (pair.lower, pair.lower_is_foreign) == (ours.index, True)
        assert answer_of(tmp_path, destroy(), BridgeExecutor(WAY)).state == "succeeded"


class Deadly(Way):
    """Whose asks whether it is still there after a change, dies."""

    def require_still(self, answered: Collection[Broker]) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


@in_namespace
def test_an_agent_killed_when_the_way_was_lost_by_its_doing_undoes_it_at_its_next_start(tmp_path: Path) -> None:
    with far_broker(), connected():
        die_within(tmp_path, bridge("net_v0", force=True), BridgeExecutor(Deadly([])))
        assert not Broker(address=FAR, port=PORT).answers(0.3)
        answer = answer_of(tmp_path, executor=BridgeExecutor(WAY))
        assert (answer.code, answer.text) == (
            "interrupted",
            "the agent stopped while it was at it: nothing was made",
        )
        assert (link("hwc0"), way_of("v0")) == (None, WHOLE)


@in_namespace
def test_an_agent_killed_when_ports_were_enslaved_finds_a_whole_bridge(tmp_path: Path) -> None:
    ip("add i0 type ifb")
    die_within(tmp_path, bridge("net_i0"), BridgeExecutor(Deadly([])))
    assert answer_of(tmp_path, executor=BridgeExecutor(WAY)).state == "succeeded"
    assert link("hwc0") is not None


class KilledByHalf(BridgeExecutor):
    """Its process dies when the bridge is there and its ports are not yet."""

    def _make(self, route: RouteSocket, command: Command, new: NewLink) -> Link:
        super()._make(route, command, new)
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError


@in_namespace
def test_what_was_made_by_half_when_the_agent_was_killed_is_taken_away(tmp_path: Path) -> None:
    ip("add i0 type ifb")
    die_within(tmp_path, bridge("net_i0"), KilledByHalf(WAY))
    assert link("hwc0") is not None
    answer = answer_of(tmp_path, executor=BridgeExecutor(WAY))
    assert (answer.code, link("hwc0")) == ("interrupted", None)


@in_namespace
def test_an_agent_killed_while_it_tried_how_things_are_without_a_bridge_brings_it_up_again(tmp_path: Path) -> None:
    with bridge_that_carries():
        die_within(tmp_path, forced(destroy()), BridgeExecutor(Deadly([])))
        found = link("hwc0")
        assert found is not None
        assert not found.up
        assert answer_of(tmp_path, executor=BridgeExecutor(WAY)).code == "interrupted"
        assert way_of("hwc0") == WHOLE


@in_namespace
def test_an_interface_that_went_with_its_device_and_came_back_gets_all_it_had() -> None:
    with far_broker() as far:
        with connected():
            before = Before.of(WAY, ["v0"])
        assert [str(broker) for broker in before.brokers] == [f"{FAR}:{PORT}"]
        former = link("v0")
        ip("del v0")
        attach("v0", far)
        Before.read(before.write()).give_back()
        made = link("v0")
        assert former is not None
        assert made is not None
        assert (made.index == former.index, way_of("v0")) == (False, WHOLE)


@in_namespace
def test_a_port_that_went_with_its_device_and_came_back_is_a_port_again() -> None:
    with bridge_that_carries() as far:
        before = Before.of(WAY, ["v0"])
        ip("del v0")
        attach("v0", far)
        before.give_back()
        assert way_of("hwc0") == WHOLE


@in_namespace
def test_after_another_start_of_the_host_nothing_is_given_back() -> None:
    with far_broker():
        before = Before.of(WAY, ["v0"])
        run("ip route del default")
        replace(before, boot="another").give_back()
        with RouteSocket() as route:
            assert route.link_towards(BEYOND) is None
        before.give_back()
        assert way_of("v0") == WHOLE


@in_namespace
def test_a_kernel_without_vlans_or_bonds_says_so_itself() -> None:
    ip("add i0 type ifb")
    vlan = of(create(), "vlan", "<id>7</id><lower>net_i0</lower>")
    for executor, command in ((VlanExecutor(WAY), vlan), (BondExecutor(WAY), of(create(), "bond", "", "net_i0"))):
        if can_make(executor.creates):
            continue
        mark = executor.check(command)
        with pytest.raises(KernelRefused, match=r"\(95\): Operation not supported: Unknown device type"):
            executor.create(command)
        executor.undo(command, mark)
        assert link("hwc0") is None


def can_make(kind: str) -> bool:
    """Whether this kernel has the kind of link."""
    try:
        with RouteSocket() as route:
            route.delete_link(route.create_link(NewLink(name="probe", kind=kind)).index)
    except OSError as error:
        return "Unknown device type" not in str(error)
    return True
