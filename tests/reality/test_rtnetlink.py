"""Links of the real kernel, asked for and changed through our own rtnetlink, in a private network namespace."""

import errno
import os
import subprocess
from collections.abc import Callable
from dataclasses import replace
from select import poll

import pytest

from hwcensus_agent.netlink.frame import Message
from hwcensus_agent.rtnetlink import DumpInterrupted, LinkChange, LinkEvent, LinkMonitor, NewLink, Overflow, RouteSocket
from tests.reality.test_sources_namespace import in_namespace

BUFFER = 1 << 20


def bridge(name: str) -> NewLink:
    return NewLink(name=name, kind="bridge")


def ip(arguments: str) -> None:
    """Run `ip link …`."""
    subprocess.run(["ip", "link", *arguments.split()], check=True)


def heard(monitor: LinkMonitor, enough: Callable[[list[LinkEvent]], bool]) -> list[LinkEvent]:
    """Read until what was heard is enough; TimeoutError after ten seconds."""
    events: list[LinkEvent] = []
    waiter = poll()
    waiter.register(monitor.fileno())
    while not enough(events):
        received = monitor.receive()
        if received is None and not waiter.poll(10_000):
            raise TimeoutError(f"only heard {events}")
        events += received or []
    return events


@in_namespace
def test_a_bridge_is_made_found_and_deleted() -> None:
    with RouteSocket() as route:
        made = route.create_link(bridge("hwc0"), alias="hwcensus 0192e7")
        assert (made.name, made.kind, made.group) == ("hwc0", "bridge", 0)
        assert (made.up, made.carrier, made.operstate, made.bridge_stp) == (False, False, "down", False)
        assert (made.hardware, made.mtu, made.alias, made.master) == (1, 1500, "hwcensus 0192e7", None)
        assert route.link_by_name("hwc0") == made
        assert made in route.dump_links()
        route.delete_link(made.index)
        assert route.link_by_name("hwc0") is None


@in_namespace
def test_the_alias_is_what_everybody_else_reads_too() -> None:
    with RouteSocket() as route:
        route.create_link(bridge("hwc0"), alias="made by us")
    shown = subprocess.run(["ip", "link", "show", "hwc0"], check=True, capture_output=True, text=True).stdout
    assert "alias made by us" in shown


@in_namespace
def test_a_taken_name_is_refused_with_the_kernels_words_and_the_owner_keeps_its_alias() -> None:
    ip("add hwc0 type ifb")
    with RouteSocket() as route:
        with pytest.raises(FileExistsError, match="File exists"):
            route.create_link(bridge("hwc0"), alias="ours")
        link = route.link_by_name("hwc0")
        assert link is not None
        assert (link.kind, link.alias) == ("ifb", None)


@in_namespace
def test_what_the_kernel_refuses_comes_with_errno_and_text() -> None:
    with RouteSocket() as route:
        with pytest.raises(OSError, match=r"Numerical result out of range: .+") as refusal:
            route.create_link(bridge("a" * 16))
        assert refusal.value.errno == errno.ERANGE
        with pytest.raises(OSError, match="Invalid argument"):
            route.create_link(bridge("a/b"))
        loopback = route.link_by_name("lo")
        assert loopback is not None
        with pytest.raises(OSError, match="not supported") as refusal:
            route.delete_link(loopback.index)
        assert refusal.value.errno == errno.EOPNOTSUPP
        with pytest.raises(OSError, match="No such device"):
            route.delete_link(4711)


@in_namespace
def test_a_name_that_is_a_pattern_to_the_kernel_makes_nothing() -> None:
    with RouteSocket() as route:
        for name in ("hwc%d", "", "a\0b"):
            with pytest.raises(ValueError, match="cannot name a link"):
                route.create_link(bridge(name))
        with pytest.raises(ValueError, match="alias"):
            route.create_link(bridge("hwc0"), alias="ä" * 128)
        assert [link.name for link in route.dump_links()] == ["lo"]
        assert route.link_by_name("hwc%d") is None
        assert route.link_by_name("a" * 16) is None


@in_namespace
def test_a_dump_of_more_links_than_one_datagram_holds_is_whole() -> None:
    for number in range(150):
        ip(f"add b{number} type bridge")
    with RouteSocket() as route:
        assert {link.name for link in route.dump_links()} == {"lo", *(f"b{number}" for number in range(150))}


class Interrupted(RouteSocket):
    """The kernel's answers, the first `times` of them marked as interrupted."""

    times: int

    def ask(self, kind: int, flags: int, body: bytes) -> list[Message]:
        answers = super().ask(kind, flags, body)
        if self.times == 0:
            return answers
        self.times -= 1
        return [replace(answer, flags=answer.flags | 0x10, body=b"stale") for answer in answers]


def test_a_dump_during_which_links_changed_is_made_again_but_not_for_ever() -> None:
    with Interrupted() as route:
        route.times = 2
        assert "lo" in {link.name for link in route.dump_links()}
        route.times = 1000
        with pytest.raises(DumpInterrupted):
            route.dump_links()


@in_namespace
def test_ports_peers_and_state_are_told() -> None:
    ip("add hwc0 type bridge stp_state 1")
    ip("add v0 type veth peer name v1")
    ip("set v0 master hwc0")
    monitor = LinkMonitor(receive_buffer=BUFFER)
    for name in ("hwc0", "v0", "v1"):
        ip(f"set {name} up")
    # The kernel works out operstate a little later, and says so.
    heard(monitor, lambda events: ("v1", "up") in {(event.link.name, event.link.operstate) for event in events})
    monitor.close()
    with RouteSocket() as route:
        links = {link.name: link for link in route.dump_links()}
    bridge, port, peer = links["hwc0"], links["v0"], links["v1"]
    assert (bridge.bridge_stp, bridge.up) == (True, True)
    assert (port.kind, port.master, port.lower, port.lower_is_foreign) == ("veth", bridge.index, peer.index, False)
    assert (peer.up, peer.carrier, peer.operstate) == (True, True, "up")


@in_namespace
def test_a_peer_in_another_namespace_is_marked_as_foreign() -> None:
    ip("add v0 type veth peer name v1")
    with subprocess.Popen(["unshare", "--net", "sh", "-c", "echo; read _"], stdin=-1, stdout=-1) as other:
        assert other.stdout is not None
        other.stdout.readline()
        ip(f"set v1 netns {other.pid}")
        with RouteSocket() as route:
            link = route.link_by_name("v0")
        other.communicate()
    assert link is not None
    assert link.lower_is_foreign


@in_namespace
def test_a_link_leaving_its_bridge_is_not_taken_for_a_deleted_one() -> None:
    ip("add hwc0 type bridge")
    ip("add i0 type ifb")
    monitor = LinkMonitor(receive_buffer=BUFFER)
    ip("set i0 master hwc0")
    ip("set i0 nomaster")
    ip("del i0")
    events = heard(monitor, lambda events: any(event.change is LinkChange.DELETED for event in events))
    assert [event.link.name for event in events if event.change is LinkChange.DELETED] == ["i0"]
    assert LinkChange.PORT in {event.change for event in events}
    monitor.close()


@in_namespace
def test_a_loss_is_said_once_and_the_monitor_goes_on_after_it() -> None:
    monitor = LinkMonitor(receive_buffer=4096)
    for number in range(40):
        ip(f"add b{number} type bridge")
    losses = 0
    while True:
        try:
            if monitor.receive() is None:
                break
        except Overflow:
            losses += 1
    assert losses == 1
    ip("del b0")
    heard(monitor, lambda events: any(event.change is LinkChange.DELETED for event in events))
    monitor.close()


@in_namespace
def test_a_name_that_is_not_text_survives_the_way_back_to_the_kernel() -> None:
    name = os.fsdecode(b"br\xe9")
    with RouteSocket() as route:
        made = route.create_link(bridge(name))
        assert made.name == name
        assert route.link_by_name(name) == made
