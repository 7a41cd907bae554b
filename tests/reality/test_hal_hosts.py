"""The same hosts through udev and through HAL: the same devices, under the same names, with the same facts.

Real halds' lists over the hardware that the recordings hold (tests/data/hal, tests/data/recordings).
"""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hwcensus import codec, document
from hwcensus.classes.storage import Storage
from hwcensus.device import Device
from hwcensus_agent.census import Census, Glance
from hwcensus_agent.enumerate import Described, Enumerator
from hwcensus_agent.hal.devices import HalDevices
from hwcensus_agent.host import NO_SYSFS
from hwcensus_agent.look import HostLook
from hwcensus_agent.news import News, Sight
from hwcensus_agent.settings import CensusSettings
from tests.fixtures.hald import recorded
from tests.fixtures.process import ROOT
from tests.reality.umockdev_tree import build

HOSTS = ("fcserver", "desktop", "vmware")

#: Facts of which HAL says something else, and why that is so.
EXPLAINED = {
    "usb.vendor_name": "HAL's is of usb.ids; a recorded tree has but the maker's own words, and no hwdb",
    "usb.product_name": "the same",
    "vmware block_sdb1 block.label": "hald 0.5.15 decodes bytes beyond ASCII wrongly, down to a control character",
}
#: Classes of devices that no HAL has, in words of their names.
NOT_HALS = ("scsi_target", "input_input", "ieee80211", "nvme_nvme", "scsi_tape", "tty_")
#: Drives that the recorded hald did not have: there was no node that its prober could open.
NOT_PROBED = {"vmware": {"block_sr0", "block_fd0"}}

Devices = dict[str, Described]


def look(sysroot: str, host: str | None) -> Devices:
    """By sysfs path."""
    hal = HalDevices()
    if host is not None:
        said = recorded(host)
        hal.replace_all({udi: {key: value for key, (_, value) in found.items()} for udi, found in said.items()})
    return {one.path: one for one in Enumerator(sysroot, (), hal).everything().devices}


@pytest.fixture(params=HOSTS)
def host(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def tree(host: str, tmp_path: Path) -> str:
    return str(build(ROOT / f"tests/data/recordings/{host}.umockdev", tmp_path))


def facts(one: Described) -> dict[str, object]:
    """Every fact but handles to look it up by: the key, and the parent, which depends on who else is there."""
    said = document.survey(one.element)
    frame = {path: value for path, value in said.frame.items() if path not in ("key", "parent", "devnode")}
    return {**frame, **said.facts, **{f"{path} (now)": value for path, value in said.state.items()}}


def differences(host: str, ours: Devices, theirs: Devices) -> Iterator[str]:
    """Facts that both know and that differ."""
    for path in ours.keys() & theirs.keys():
        one, other = facts(ours[path]), facts(theirs[path])
        for fact in sorted(one.keys() & other.keys()):
            if one[fact] != other[fact]:
                yield f"{host} {ours[path].name} {fact}: {one[fact]!r} by udev, {other[fact]!r} by HAL"


def explanation(line: str) -> str | None:
    named = line.partition(":")[0].removesuffix(" (now)")
    return EXPLAINED.get(named) or EXPLAINED.get(named.split(" ")[-1])


def test_with_sysfs_in_reach_both_show_the_same_devices_under_the_same_names(host: str, tree: str) -> None:
    by_udev, by_hal = look(tree, None), look(tree, host)
    assert {path: (one.name, one.device.parent) for path, one in by_hal.items()} == {
        path: (one.name, one.device.parent) for path, one in by_udev.items()
    }
    known = {udi for udi, said in recorded(host).items() if "linux.sysfs_path" in said}
    keys = {one.key for one in by_hal.values()}
    assert keys & known, "the key is HAL's udi where HAL has one"
    assert {key for key in keys - known if not key.startswith("/sys/")} == {"/org/freedesktop/Hal/devices/computer"}


def test_hal_alone_has_the_devices_that_hald_lists_and_no_stranger(host: str, tree: str) -> None:
    by_udev, by_hal = look(tree, None), look(NO_SYSFS, host)
    assert by_hal.keys() <= by_udev.keys()
    missing = {by_udev[path].name for path in by_udev.keys() - by_hal.keys()} - NOT_PROBED.get(host, set())
    assert {name for name in missing if not name.startswith(NOT_HALS)} == set()
    assert {by_udev[path].name for path in by_hal} == {one.name for one in by_hal.values()}


def test_without_sysfs_the_parent_is_the_nearest_ancestor_that_hal_shows(host: str, tree: str) -> None:
    by_udev, by_hal = look(tree, None), look(NO_SYSFS, host)
    parents = {one.name: one.device.parent for one in by_udev.values()}
    shown = {one.name for one in by_hal.values()}
    for one in by_hal.values():
        parent = parents[one.name]
        while parent is not None and parent not in shown:
            parent = parents[parent]
        assert one.device.parent == parent, one.name


def test_every_fact_that_both_know_is_the_same(host: str, tree: str) -> None:
    by_udev = look(tree, None)
    told = sorted({*differences(host, by_udev, look(NO_SYSFS, host)), *differences(host, by_udev, look(tree, host))})
    sys.stdout.writelines(f"{line} ({explanation(line)})\n" for line in told)
    assert [line for line in told if explanation(line) is None] == []


def test_what_both_know_is_most_of_what_there_is(host: str, tree: str) -> None:
    """Else the comparison above would compare nothing."""
    by_udev, by_hal = look(tree, None), look(NO_SYSFS, host)
    both = sum(len(facts(by_udev[path]).keys() & facts(by_hal[path]).keys()) for path in by_hal)
    assert both > 0.5 * sum(len(facts(one)) for one in by_hal.values())


# A host that moves from the one source to the other.


def sights(sysroot: str, host: str | None, known: Census | None = None) -> tuple[Sight, ...]:
    """What a look gives, if need be with the identities that are known."""
    hal_look = HostLook(CensusSettings(sysroot=sysroot))
    if host is not None:
        hal_look.hal.replace_all(
            {udi: {key: value for key, (_, value) in found.items()} for udi, found in recorded(host).items()}
        )
    return (hal_look() if known is None else hal_look(None, known.identities(), known.names(), known.sight)).seen


def moved(before: tuple[Sight, ...], look_now: Callable[[Census], tuple[Sight, ...]], *, same_boot: bool) -> list[News]:
    """What a census tells whose host another source leads from now on."""
    plain: dict[str, Any] = {"paths": None, "hinted": {}, "gone": {}, "moved": {}}
    census = Census({})
    census.see(Glance(seen=before, **plain))
    return census.see(Glance(seen=look_now(census), same_boot=same_boot, other_source=True, **plain))


def of_facts(news: list[News], host: str) -> list[str]:
    """Changes of facts that nothing explains."""
    changed = [
        f"{host} {one.sight.name} {path}"
        for one in news
        if one.kind == "facts"
        for path in one.changed
        if path != "key"
    ]
    return [line for line in changed if explanation(line) is None and not line.endswith(" driver")]


def test_with_sysfs_in_reach_another_source_is_no_other_hardware(host: str, tree: str) -> None:
    news = moved(sights(tree, None), lambda census: sights(tree, host, census), same_boot=True)
    assert {(one.type, one.kind) for one in news} == {("change", "state"), ("change", "redescribed")}
    assert all(one.was is None for one in news)


@pytest.mark.parametrize("same_boot", [True, False], ids=["while it runs", "by an upgrade and a start"])
def test_what_hal_alone_showed_keeps_its_thing_when_udev_shows_more(host: str, tree: str, same_boot: bool) -> None:
    before = sights(NO_SYSFS, host)
    news = moved(before, lambda census: sights(tree, None, census if same_boot else None), same_boot=same_boot)
    assert [one.sight.name for one in news if one.type == "remove"] == []
    added = {one.sight.name for one in news if one.type == "add"} - NOT_PROBED.get(host, set())
    assert {name for name in added if not name.startswith(NOT_HALS)} == set()
    assert of_facts(news, host) == []
    if host == "fcserver":
        place, wwpn = "scsi/place/pci0000:00%2F0000:00:03.0%2F0000:05:00.0%2Fhost", "scsi/wwpn/2100001b32910a4c"
        (port,) = (one for one in news if one.sight.name == "scsi_host0")
        kept = (place, None) if same_boot else (wwpn, place)
        assert (port.kind, port.sight.identity, port.was) == ("redescribed", *kept)


def test_other_hardware_at_the_same_place_is_told_apart_whichever_source_leads() -> None:
    def disk(model: str, **more: str) -> Sight:
        storage = Storage(model=model, **more)  # type: ignore[arg-type]  # texts all
        device = Device(name="block_sda", key="/sys/devices/a/block/sda", parent="computer", capabilities=(storage,))
        identity = f"block/serial/{more['serial']}" if more else "block/place/a%2Fblock%2Fsd"
        return Sight.of(identity, codec.write_device(device))

    def told(before: Sight, now: Sight) -> list[tuple[str, str | None]]:
        return [(one.type, one.kind) for one in moved((before,), lambda _: (now,), same_boot=False)]

    assert told(disk("A"), disk("A", serial="42")) == [("change", "redescribed")]
    assert told(disk("A"), disk("B", serial="42")) == [("remove", None), ("add", None)]


# The 2008 proposal's four examples, as far as the archive left them: the structure, not the values.


def xml_of(host: str, sysroot: str, name: str) -> str:
    (one,) = (one for one in look(sysroot, host).values() if one.name == name)
    return document.to_bytes(one.element).decode()


def test_the_proposals_pci_device() -> None:
    assert xml_of("desktop", NO_SYSFS, "pci_0000_00_1b_0").startswith(
        """<device>
  <name>pci_0000_00_1b_0</name>
  <key>/org/freedesktop/Hal/devices/pci_8086_27d8</key>
  <parent>computer</parent>
  <bus type="pci">
    <vendor id="32902">Intel Corporation</vendor>
    <product id="10200">NM10/ICH7 Family High Definition Audio Controller</product>
"""
    )
    assert '<address domain="0000" bus="00" slot="1b" function="0"/>' in xml_of("desktop", NO_SYSFS, "pci_0000_00_1b_0")


def test_the_proposals_usb_device() -> None:
    written = xml_of("desktop", NO_SYSFS, "usb_5_1")
    assert '<bus type="usb">\n    <vendor id="2385">Kingston Technology</vendor>\n' in written
    assert '<address bus="005" dev="002"/>' in written


def test_the_proposals_fibre_channel_adapter_with_what_hal_lacks(tmp_path: Path) -> None:
    tree = str(build(ROOT / "tests/data/recordings/fcserver.umockdev", tmp_path))
    written = xml_of("fcserver", tree, "scsi_host0")
    assert "<key>/org/freedesktop/Hal/devices/pci_1077_2532_scsi_host</key>" in written
    assert "<parent>pci_0000_05_00_0</parent>" in written
    assert '<capability type="scsihost">' in written
    assert (
        '    <capability type="fc">\n'
        '      <address wwnn="2000001b32910a4c" wwpn="2100001b32910a4c"/>\n'
        '      <vports max="' in written
    )


def test_the_proposals_wireless_interface() -> None:
    written = xml_of("desktop", NO_SYSFS, "net_wlan0")
    assert "<parent>pci_0000_03_00_0</parent>" in written
    assert '<capability type="net">\n    <interface>wlan0</interface>\n' in written
    assert '<capability type="80211"' in written
