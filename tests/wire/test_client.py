"""The client: the seed's verbs over a real API, and every failure as one of our errors."""

import socket
from collections.abc import Iterator

import pytest

from hwcensus.client import Client, Dump
from hwcensus.errors import NotFound, Refused, Unreachable, UsageError
from tests.wire.census_world import BEGAN, World, after, bridge, computer, net, pci, served, world

BRIDGE = "<device><capability type='net'><interface>{}</interface><capability type='bridge'/></capability></device>"


@pytest.fixture
def census(sqlite_url: str) -> Iterator[World]:
    with world(sqlite_url) as made:
        made.host("a1", "web17")
        for xml in (computer(), pci(), net("eth0"), bridge("hwc0")):
            made.tell("a1", xml, BEGAN)
        made.tell("a1", bridge("hwc0", stp="yes"), after(hours=1))
        yield made


@pytest.fixture
def client(census: World) -> Iterator[Client]:
    with served(census.engine) as url, Client(url, actor="alice") as made:
        yield made


def test_the_verbs_of_the_proposal(client: Client) -> None:
    host = client.host("web17")
    assert host.num_of_devices() == 4
    assert host.list_devices() == ["computer", "net_eth0", "net_hwc0", "pci_0000_00_1f_3"]
    assert (host.num_of_devices_by_cap("net"), host.list_devices_by_cap("net.bridge")) == (2, ["net_hwc0"])
    assert (host.num_of_devices_by_bus("pci"), host.list_devices_by_bus("pci")) == (1, ["pci_0000_00_1f_3"])
    by_name = host.lookup_by_name("net_hwc0")
    assert host.lookup_by_key(str(by_name.key)) == by_name
    assert "<state" in by_name.dump_xml()
    assert "<key>" not in by_name.dump_xml(Dump.STATE)
    assert "<key>" not in by_name.dump_xml(Dump(0))


def test_a_device_tells_its_life_and_how_it_looked(client: Client) -> None:
    device = client.host("web17").lookup_by_name("net_hwc0")
    first, second = device.history()
    assert (first.kind, second.kind, first.valid_to) == ("add", "change", second.valid_from)
    assert "<stp>no</stp>" in first.dump_xml()
    then = client.host("web17").lookup_by_name("net_hwc0", at=after(minutes=30).isoformat())
    assert (then.facts["bridge.stp"], then.key, then.left_out) == (False, None, ("key", "state"))
    assert "<stp>no</stp>" in then.dump_xml()


def test_lists_follow_their_pages_by_themselves(census: World, client: Client) -> None:
    census.hosts({f"h{number:04}": f"host{number:04}" for number in range(1200)})
    assert len(list(client.hosts())) == 1201


def test_hosts_that_are_out_of_service_are_listed_when_asked_for(census: World, client: Client) -> None:
    census.host("a2", "web18", retired_at=BEGAN)
    assert [host.name for host in client.hosts()] == ["web17"]
    assert [host.name for host in client.hosts(retired=True)] == ["web17", "web18"]


def test_commands_are_ordered_and_ended(client: Client) -> None:
    host = client.host("web17")
    command = host.create_device(BRIDGE.format("hwc7"), idempotency_key="k")
    assert host.create_device(BRIDGE.format("hwc7"), idempotency_key="k").id == command.id
    assert command.told["by"] == "local:alice"
    with pytest.raises(Unreachable, match="still queued"):
        command.wait(timeout=0)
    with pytest.raises(Refused, match="cancel it instead"):
        command.abandon()
    assert command.cancel().state == "cancelled"
    assert command.wait().ended
    assert host.lookup_by_name("net_hwc0").destroy().type == "destroy"
    assert [one.type for one in client.commands(host="web17")] == ["destroy", "create"]


def test_who_ordered_what_is_read_the_last_first(client: Client) -> None:
    command = client.host("web17").create_device(BRIDGE.format("hwc7"))
    command.cancel("not now")
    cancelled, queued = client.audit(actor="local:alice", action="command.", subject=command.id, since="1h")
    assert (cancelled.action, cancelled.door, cancelled.detail["text"]) == ("command.cancelled", "api", "not now")
    assert (queued.action, queued.subject, queued.at <= cancelled.at) == ("command.queued", command.id, True)
    assert list(client.audit(until="1h")) == []


def test_orders_about_a_device_say_how(client: Client) -> None:
    pci = client.host("web17").lookup_by_name("pci_0000_00_1f_3")
    assert [pci.detach(driver="pci-stub").type, pci.reattach(force=True).type] == ["detach", "reattach"]
    bridge = client.host("web17").lookup_by_name("net_hwc0")
    assert bridge.destroy(force=True).type == "destroy"
    assert [bridge.check("destroy").type, pci.check("detach", driver="pci-stub").type] == [
        "check-destroy", "check-detach",
    ]  # fmt: skip


def test_an_order_says_how_long_it_may_wait(client: Client) -> None:
    host = client.host("web17")
    pci, bridge = host.lookup_by_name("pci_0000_00_1f_3"), host.lookup_by_name("net_hwc0")
    made = host.create_device(BRIDGE.format("hwc8"), force=True, valid=60)
    for one in (made, pci.detach(valid=60), pci.reattach(valid=60), bridge.destroy(valid=60)):
        assert (one.expires - one.issued).total_seconds() == 60
    with pytest.raises(UsageError):
        bridge.destroy(valid=0)


def test_failures_are_our_errors_with_code_and_nearest(client: Client) -> None:
    with pytest.raises(NotFound) as unknown:
        client.host("web71")
    assert (unknown.value.code, unknown.value.facts["nearest"]) == ("unknown-host", "web17")
    with pytest.raises(NotFound, match="key"):
        client.host("web17").lookup_by_key("/sys/nothing")
    with pytest.raises(UsageError):
        list(client.devices(cap="brige"))
    with pytest.raises(UsageError, match="cannot be sent"):
        list(client.devices(cap="\udcff"))
    host = client.host("web17")
    for what in (client.host, client.command, host.lookup_by_name, host.create_device):
        with pytest.raises(UsageError, match="sent"):
            what("\udcff")
    for name in ("", ".", ".."):
        with pytest.raises(UsageError, match="nothing that there can be"):
            host.lookup_by_name(name)
    with pytest.raises(Refused) as refused:
        client.host("web17").create_device(BRIDGE.format("x" * 16))
    assert refused.value.code == "name-too-long"


def test_what_does_not_answer_or_is_no_collector_is_unreachable() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, but nobody listens
        with Client(f"http://127.0.0.1:{taken.getsockname()[1]}") as client, pytest.raises(Unreachable, match="up"):
            client.health()
    for url in ("nonsense", "ftp://x", "http://[", ""):
        with pytest.raises(UsageError), Client(url) as client:
            client.health()
