"""What real halds said and how: the interface that our client uses, the signals they sent, a machine from the wild."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest
from lxml import etree

from hwcensus import codec, schema
from hwcensus_agent.enumerate import Enumerator
from hwcensus_agent.hal.devices import HalDevices
from hwcensus_agent.host import NO_SYSFS
from tests.fixtures.process import ROOT

RECORDED = ROOT / "tests/data/hal"
WILD = ROOT.parent / "shared/data/hal/wild/dell-xt2.devices.json"


def signature(page: str, member: str) -> str:
    """Of a method's answer, or a signal, by a real hald's introspection."""
    node = etree.parse(RECORDED / f"introspect-{page}.xml")
    found = next(one for one in node.iter() if one.get("name") == member)
    return "".join(str(arg.get("type")) for arg in found.iter("arg") if arg.get("direction") != "in")


@pytest.mark.parametrize(
    "page, member, wanted",
    [
        ("Manager", "GetAllDevicesWithProperties", "a(sa{sv})"),
        ("Manager", "GetAllDevices", "as"),
        ("Manager", "DeviceAdded", "s"),
        ("Manager", "DeviceRemoved", "s"),
        ("Manager", "NewCapability", "ss"),
        ("computer", "GetAllProperties", "a{sv}"),
        ("computer", "PropertyModified", "ia(sbb)"),
    ],
)
def test_what_we_ask_for_and_the_hald_of_our_tests_says_has_a_real_halds_form(
    page: str, member: str, wanted: str
) -> None:
    spoken = (
        Path(ROOT / "agent/hwcensus_agent/hal/client.py").read_text() + (ROOT / "tests/fixtures/hald.py").read_text()
    )
    assert signature(page, member) == wanted
    assert member in spoken or member == "NewCapability"


def test_a_real_hald_signals_of_devices_by_their_udi_and_of_properties_from_the_device_itself() -> None:
    said = (RECORDED / "live-signals.txt").read_text()
    signals = re.findall(r"path=(\S+); interface=(\S+); member=(\w+)\n((?: .*\n)*)", said)
    members = Counter(member for _, _, member, _ in signals)
    assert members["DeviceAdded"] >= 4
    assert members["DeviceRemoved"] >= 4
    for path, interface, member, body in signals:
        if member in ("DeviceAdded", "DeviceRemoved"):
            assert (path, interface) == ("/org/freedesktop/Hal/Manager", "org.freedesktop.Hal.Manager")
            assert re.fullmatch(r'   string "/org/freedesktop/Hal/devices/\S+"\n', body)
        elif member == "PropertyModified":
            assert path.startswith("/org/freedesktop/Hal/devices/")
            assert body.startswith("   int32 ")


@pytest.mark.skipif(
    not WILD.exists(), reason="the recording may not be copied here, and does not lie beside the repository"
)
def test_a_laptop_from_the_wild_comes_out_whole_by_hal_alone() -> None:
    hal = HalDevices()
    told = json.loads(WILD.read_text())
    hal.replace_all({udi: {key: value for key, (_, value) in found.items()} for udi, found in told.items()})
    found = Enumerator(NO_SYSFS, (), hal).everything().devices
    names = [one.name for one in found]
    assert len(names) == len(set(names)) == len({one.identity for one in found})
    for one in found:
        schema.validate(codec.write_device(one.device), "device")
        assert one.device.parent is None or one.device.parent in names
    kinds = Counter(one.subsystem for one in found)
    assert (kinds["pci"], kinds["scsi_generic"], kinds["block"]) == (24, 1, 9)
    wireless = [one.name for one in found if one.device.capability("80211") is not None]
    assert len(wireless) == 1
