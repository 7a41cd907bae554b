"""Which devices there are: filters, pages, order, and one by its name; on both databases."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection

from hwcensus_collector.inventory.cursor import Window
from hwcensus_collector.inventory.devices import count_devices, list_devices
from hwcensus_collector.inventory.filters import DeviceFilter, read_bus, read_capability
from hwcensus_collector.inventory.hosts import find_host, host_id, list_hosts
from hwcensus_collector.inventory.lookup import current_document, find_device
from hwcensus_collector.inventory.refusal import Ambiguous, BadParameter, Unknown
from hwcensus_collector.inventory.tree import Branch, tree_of
from tests.wire.census_world import BEGAN, LONG_AGO, World, after, bridge, computer, hba, net, pci, world


@pytest.fixture
def census(database_url: str) -> Iterator[World]:
    """Two hosts, one with an HBA, one with a bridge that is gone."""
    with world(database_url) as made:
        made.host("a1", "web17")
        made.host("b2", "db7")
        for host, documents in (
            ("a1", (computer(), pci(), net("eth0", parent="pci_0000_00_1f_3"), hba(), bridge("hwc0"))),
            ("b2", (computer(), net("eth0"), bridge("hwc0"))),
        ):
            for xml in documents:
                made.tell(host, xml, BEGAN)
        made.remove("b2", "net_hwc0", after(hours=1))
        made.heard({"b2"}, LONG_AGO)
        yield made


@pytest.fixture
def connection(census: World) -> Iterator[Connection]:
    with census.engine.connect() as connection:
        yield connection


def names(connection: Connection, **wanted: str) -> list[str]:
    return [f"{one.host}:{one.name}" for one in list_devices(connection, DeviceFilter(**wanted), Window()).items]


def test_a_filter_lets_through_what_has_the_capability_at_any_depth(connection: Connection) -> None:
    assert names(connection, cap="80203") == ["a1:net_eth0", "b2:net_eth0"]
    assert names(connection, cap="fc") == ["a1:scsi_host5"]
    assert names(connection, cap="vports") == ["a1:scsi_host5"]


def test_aliases_are_read_and_unknown_names_are_refused_with_the_nearest() -> None:
    assert read_capability("fc_host") == "fc"
    with pytest.raises(BadParameter, match="did you mean bridge") as refusal:
        read_capability("brige")
    assert refusal.value.code == "unknown-capability"
    with pytest.raises(BadParameter, match="pci, usb, virtio"):
        read_bus("isa")


def test_bus_name_and_key_narrow_further(connection: Connection) -> None:
    assert names(connection, bus="pci") == ["a1:pci_0000_00_1f_3"]
    assert names(connection, host="b2", name="net_eth0") == ["b2:net_eth0"]
    assert names(connection, host="a1", key="/sys/devices/virtual/net/eth0") == ["a1:net_eth0"]
    assert names(connection, host="a1", key="/devices/virtual/net/eth0/") == ["a1:net_eth0"]


def test_what_is_gone_is_listed_only_where_asked_for(connection: Connection) -> None:
    assert names(connection, cap="bridge") == ["a1:net_hwc0"]
    assert names(connection, cap="bridge", present="no") == ["b2:net_hwc0"]
    assert names(connection, cap="bridge", present="all") == ["a1:net_hwc0", "b2:net_hwc0"]
    assert count_devices(connection, DeviceFilter(present="all")) == 8
    assert count_devices(connection, DeviceFilter(host="a1", cap="net")) == 2


@pytest.mark.parametrize("sort", ["host", "-host", "name", "-name"])
def test_pages_hold_every_device_once_and_in_order(connection: Connection, sort: str) -> None:
    whole = [(one.host, one.name) for one in list_devices(connection, DeviceFilter(), Window(), sort=sort).items]
    found: list[tuple[str, str]] = []
    cursor = None
    while True:
        page = list_devices(connection, DeviceFilter(), Window(limit=2, cursor=cursor), sort=sort)
        found += [(one.host, one.name) for one in page.items]
        cursor = page.next
        if cursor is None:
            break
    assert found == whole
    assert len(set(whole)) == 7


def test_a_cursor_of_another_question_is_refused(connection: Connection) -> None:
    cursor = list_devices(connection, DeviceFilter(), Window(limit=1)).next
    for text in (cursor, "zzz", "", "A" * 5000):
        with pytest.raises(BadParameter, match="cursor") as refusal:
            list_devices(connection, DeviceFilter(bus="pci"), Window(cursor=text))
        assert refusal.value.code == "bad-cursor"


def test_a_device_is_found_by_name_identity_and_libvirts_name(connection: Connection) -> None:
    for wanted in ("net_eth0", "net/place/net_eth0", "net_eth0_52_54_00_12_34_56"):
        assert find_device(connection, "a1", wanted).identity == "net/place/net_eth0"
    with pytest.raises(Unknown, match="web17 has no device 'net_eth1'; did you mean net_eth0") as refusal:
        find_device(connection, "a1", "net_eth1")
    assert refusal.value.nearest[0] == "net_eth0"


def test_a_disk_is_found_by_the_name_that_udevs_serial_gives_it_at_libvirt(census: World) -> None:
    disk = (
        "<device><name>block_sda</name><key>/sys/devices/block/sda</key><parent>computer</parent>"
        '<capability type="storage"><bus>ata</bus><model>ST9500325AS</model><serial>5VE12345</serial></capability>'
        "</device>"
    )
    census.tell("a1", disk, after(hours=2))
    with census.engine.connect() as connection:
        for wanted in ("block_sda_ST9500325AS_5VE12345", "block_sda_5VE12345"):
            assert find_device(connection, "a1", wanted).name == "block_sda"
        with pytest.raises(Unknown):
            find_device(connection, "a1", "block_sda_5VE1234")


def test_of_two_that_bear_a_name_the_last_told_is_meant_and_a_present_one_before_a_gone_one(census: World) -> None:
    census.tell("a1", net("eth0", mac="52:54:00:00:00:01"), after(hours=2), identity="net/mac/01")
    with census.engine.connect() as connection:
        assert find_device(connection, "a1", "net_eth0").identity == "net/mac/01"
    census.remove("b2", "net_eth0", after(hours=2))
    with census.engine.connect() as connection:
        assert not find_device(connection, "b2", "net_eth0").present


def test_a_document_has_key_and_state_as_asked(connection: Connection) -> None:
    device = find_device(connection, "a1", "net_eth0", xml=True)
    assert b"<key>" in current_document(device)
    assert b"<state" in current_document(device)
    bare = current_document(device, ())
    assert b"<key>" not in bare
    assert b"<state" not in bare
    assert b"<key>" in current_document(device, ("key",))


def test_a_host_is_found_by_id_or_name_and_a_double_name_is_refused(census: World) -> None:
    census.host("c3", "twin")
    census.host("d4", "twin")
    census.host("e5", "db7", retired_at=BEGAN)
    with census.engine.connect() as connection:
        assert host_id(connection, "a1") == host_id(connection, "web17") == "a1"
        assert host_id(connection, "db7") == "b2", "one that was retired gives way"
        with pytest.raises(Ambiguous) as refusal:
            host_id(connection, "twin")
        assert refusal.value.nearest == ("c3", "d4")
        with pytest.raises(Unknown, match="did you mean web17"):
            host_id(connection, "web71")


def test_a_host_is_online_stale_or_offline_by_when_it_was_heard(census: World) -> None:
    with census.engine.connect() as connection:
        assert find_host(connection, "web17").status == "online"
        assert find_host(connection, "db7").status == "offline"
        assert [one.id for one in list_hosts(connection, Window(), status="offline").items] == ["b2"]
        assert [one.devices for one in list_hosts(connection, Window()).items] == [2, 5]
        with pytest.raises(BadParameter, match="did you mean online"):
            list_hosts(connection, Window(), status="onlin")


def test_a_tree_has_every_device_once_even_where_parents_go_round(census: World) -> None:
    census.tell("a1", pci("pci_0000_01_00_0", parent="pci_0000_01_00_1"), after(hours=2))
    census.tell("a1", pci("pci_0000_01_00_1", parent="pci_0000_01_00_0"), after(hours=2))
    census.tell("a1", net("lost", parent="nobody"), after(hours=2))
    with census.engine.connect() as connection:
        devices = list(list_devices(connection, DeviceFilter(host="a1"), Window()).items)
    roots = tree_of(devices)
    assert [root.device.name for root in roots] == ["computer", "net_lost", "pci_0000_01_00_0", "pci_0000_01_00_1"]
    (computer_, *_) = roots
    assert [child.device.name for child in computer_.children] == ["net_hwc0", "pci_0000_00_1f_3", "scsi_host5"]
    assert sum(size(root) for root in roots) == len(devices)


def size(branch: Branch) -> int:
    return 1 + sum(size(child) for child in branch.children)
