"""Who is who: a test for each line of the rules (docs/protocol.md, "Identity")."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwcensus.classes.block import Bcache, Block, Dm, Loop, Md, Volume
from hwcensus.classes.net import Net
from hwcensus.classes.nvme import Nvme
from hwcensus.classes.pci import PciBus
from hwcensus.classes.scsi_target import FcRemotePort, ScsiTarget
from hwcensus.classes.scsihost import Fc, ScsiHost
from hwcensus.classes.storage import Storage
from hwcensus.classes.usb import UsbBus
from hwcensus.device import Device
from hwcensus.identity import (
    Subject,
    assign_identities,
    identifies,
    identity_of,
    is_bogus,
    own_identifiers,
    place_of,
    reduce_component,
)

PCI = "/sys/devices/pci0000:00/0000:00:1f.2"
DISK = f"{PCI}/ata1/host0/target0:0:0/0:0:0:0/block/sda"


def one(subject: Subject, known: dict[str, str] | None = None) -> str:
    return assign_identities([subject], known or {})[subject.path]


def disk(path: str, *own: tuple[str, str]) -> Subject:
    return Subject(path=path, subsystem="block", own=own)


MAC = "52:54:00:12:34:56"
STORAGE = Storage(wwid="naa.5000c5001234abcd", serial="5VE12345")
SAN = Storage(wwid="naa.60060e80056f7000", wwid_san=True)
TARGET = ScsiTarget(host=5, bus=0, target=0, nested=(FcRemotePort(wwpn="50060e80056f7001"),))
USB = UsbBus(vendor=1155, product=8214, serial="0123", bus="003", dev="005")


@dataclass(frozen=True)
class Own:
    """A device and what identifies it."""

    subsystem: str
    device: Device
    identifiers: tuple[tuple[str, str], ...]


@pytest.mark.parametrize(
    "own",
    [
        Own("net", Device(name="n", capabilities=(Net(interface="e", permanent=True, address=MAC),)), (("mac", MAC),)),
        Own("net", Device(name="n", capabilities=(Net(interface="e", address=MAC),)), ()),
        Own(
            "scsi",
            Device(name="n", capabilities=(ScsiHost(nested=(Fc(wwnn="20" * 8, wwpn="21" * 8),)),)),
            (("wwpn", "21" * 8),),
        ),
        Own("scsi", Device(name="n", capabilities=(ScsiHost(nested=(Fc(wwpn="31" * 8),)),)), ()),
        Own("scsi", Device(name="n", capabilities=(TARGET,)), ()),
        Own(
            "block",
            Device(name="n", capabilities=(STORAGE,)),
            (("wwid", "naa.5000c5001234abcd"), ("serial", "5VE12345")),
        ),
        Own("scsi_tape", Device(name="n", capabilities=(Storage(serial="5VE12345"),)), (("serial", "5VE12345"),)),
        Own("block", Device(name="n", capabilities=(SAN,)), (("wwid", "naa.60060e80056f7000"),)),
        Own("nvme", Device(name="n", capabilities=(Nvme(model="970 PRO", serial="S6"),)), (("serial", "970 PRO:S6"),)),
        Own("block", Device(name="n", capabilities=(Block(nested=(Md(uuid="a:b"),)),)), (("guid", "a:b"),)),
        Own("block", Device(name="n", capabilities=(Block(nested=(Bcache(uuid="0b-1"),)),)), (("guid", "0b-1"),)),
        Own("block", Device(name="n", capabilities=(Storage(wwid="eui.0000000000000000"),)), ()),
        Own("block", Device(name="n", capabilities=(Storage(serial="To be filled by O.E.M."),)), ()),
        Own("block", Device(name="n", capabilities=(Block(nested=(Dm(uuid="LVM-x1"),)),)), (("guid", "LVM-x1"),)),
        Own("block", Device(name="n", capabilities=(Block(nested=(Loop(backing_file="/a"),)),)), (("guid", "/a"),)),
        Own("block", Device(name="n", capabilities=(Block(nested=(Volume(uuid="0fc63daf-01"),)),)), ()),
        Own("usb", Device(name="n", bus=USB), (("serial", "1155:8214:0123"),)),
        Own(
            "pci",
            Device(name="n", bus=PciBus(vendor=1, product=2, domain="0000", bus="00", slot="1f", function="3")),
            (),
        ),
    ],
    ids=lambda own: f"{own.subsystem}-{own.identifiers}",
)
def test_own_identifiers_are_those_of_the_class_the_most_telling_first(own: Own) -> None:
    assert own_identifiers(own.device, own.subsystem) == own.identifiers


def test_the_host_itself_is_computer() -> None:
    assert one(Subject(path="/sys/devices", subsystem="computer")) == "computer"


def test_the_first_unique_identifier_of_its_own_is_the_identity() -> None:
    wwid, serial = ("wwid", "naa.5000c5001234abcd"), ("serial", "5VE12345")
    assert one(disk(DISK, wwid, serial)) == "block/wwid/naa.5000c5001234abcd"
    assert one(disk(DISK, serial)) == "block/serial/5VE12345"


def test_bytes_that_are_not_harmless_are_percent_encoded() -> None:
    assert identity_of("block", "wwid", "t10.ATA  X~1/é") == "block/wwid/t10.ATA%20%20X%7E1%2F%C3%A9"


@pytest.mark.parametrize(
    "component, left",
    [
        ("host5", "host"),
        ("ata3", "ata"),
        ("input12", "input"),
        ("card0", "card"),
        ("event7", "event"),
        ("nvme0", "nvme"),
        ("nvme0n1", "nvme:n1:p"),
        ("nvme0n1p2", "nvme:n1:p2"),
        ("nvme0c1n1", "nvme:n1:p"),
        ("sda", "sd"),
        ("sdab12", "sd12"),
        ("rport-5:0-1", "rport-:0"),
        ("vport-5:0-3", "vport-:0"),
        ("end_device-4:0", "end_device-:0"),
        ("port-4:0:1", "port-:0:1"),
        ("session1", "session"),
        ("ctlr_0", "ctlr_"),
        ("nvme-subsys0", "nvme-subsys"),
        ("cciss!c0d1p2", "d1p2"),
        ("target5:0:1", "target:0:1"),
        ("5:0:1:2", ":0:1:2"),
        ("usb3", "usb"),
        ("3-1.5", "-1.5"),
        ("3-1.5:1.0", "-1.5:1.0"),
        ("virtio2", "virtio"),
        ("0003:046D:C31C.0002", "0003:046D:C31C"),
        ("mmc1:aaaa", "mmc:"),
        ("pcmC1D0p", "pcmCD0p"),
        ("controlC1", "controlC"),
        ("renderD128", "renderD"),
        ("ttyUSB3", "ttyUSB"),
        ("hwmon2", "hwmon"),
        ("0000:00:1f.2", "0000:00:1f.2"),
        ("pci0000:00", "pci0000:00"),
        ("br0", "br0"),
    ],
)
def test_a_place_has_no_number_that_the_kernel_deals(component: str, left: str) -> None:
    assert reduce_component(component) == left


def test_without_an_identifier_the_place_is_the_identity() -> None:
    assert one(disk(DISK)) == "block/place/pci0000:00%2F0000:00:1f.2%2Fata%2Fhost%2Ftarget:0:0%2F:0:0:0%2Fblock%2Fsd"


def test_the_name_of_a_hardware_interface_is_no_part_of_its_place_but_that_of_a_bridge_is() -> None:
    assert place_of("/sys/devices/pci0000:00/0000:00:03.0/net/eth0") == "pci0000:00/0000:00:03.0/net"
    assert place_of("/sys/devices/pci0000:00/0000:00:03.0/infiniband/mlx5_0") == "pci0000:00/0000:00:03.0/infiniband"
    assert place_of("/sys/devices/virtual/net/br0") == "virtual/net/br0"


def test_below_a_device_with_an_own_identifier_the_place_starts_from_that_identity() -> None:
    part = Subject(path=f"{DISK}/sda2", subsystem="block")
    identities = assign_identities([disk(DISK, ("serial", "5VE12345")), part], {})
    assert identities[part.path] == "block/place/block%2Fserial%2F5VE12345%2F2"


def test_so_it_does_wherever_the_device_is_plugged_in() -> None:
    def interface(port: str) -> str:
        stick = Subject(path=f"/sys/devices/usb1/{port}", subsystem="usb", own=(("serial", "1:2:abc"),))
        below = Subject(path=f"{stick.path}/{port}:1.0/host3/scsi_host", subsystem="scsi")
        return assign_identities([stick, below], {})[below.path]

    assert interface("1-1") == interface("1-4.2") == "scsi/place/usb%2Fserial%2F1:2:abc%2F:1.0%2Fhost%2Fscsi_host"


def test_the_name_of_a_hardware_interface_is_dealt_below_a_device_with_an_own_identifier_too() -> None:
    def adapter(port: str, name: str) -> str:
        stick = Subject(path=f"/sys/devices/usb1/{port}", subsystem="usb", own=(("serial", "1:2:abc"),))
        interface = Subject(path=f"{stick.path}/{port}:1.0/net/{name}", subsystem="net")
        return assign_identities([stick, interface], {})[interface.path]

    assert adapter("1-1", "eth5") == adapter("1-4.2", "enx0") == "net/place/usb%2Fserial%2F1:2:abc%2F:1.0%2Fnet"


def test_places_that_come_out_equal_are_counted_in_the_kernels_order() -> None:
    paths = [f"/sys/devices/platform/host{number}" for number in (10, 2, 3)]
    identities = assign_identities([Subject(path=path, subsystem="scsi") for path in paths], {})
    assert [identities[path] for path in paths] == [
        "scsi/place/platform%2Fhost~3",
        "scsi/place/platform%2Fhost",
        "scsi/place/platform%2Fhost~2",
    ]


def test_suffixes_that_others_have_are_passed_over() -> None:
    def place(number: str) -> str:
        return f"scsi/place/platform%2Fhost{number}"

    paths = [f"/sys/devices/platform/host{number}" for number in (5, 6)]
    present = {"/sys/devices/platform/host1": place(""), "/sys/devices/platform/host3": place("~3")}
    identities = assign_identities([Subject(path=path, subsystem="scsi") for path in paths], {}, present)
    assert [identities[path] for path in paths] == [place("~2"), place("~4")]


def test_the_suffix_stays_while_the_device_lives() -> None:
    first, second = (Subject(path=f"/sys/devices/platform/host{n}", subsystem="scsi") for n in (1, 2))
    known = assign_identities([first, second], {})
    assert assign_identities([second], known) == {second.path: "scsi/place/platform%2Fhost~2"}


def test_an_identifier_that_two_share_when_first_seen_identifies_neither() -> None:
    paths = [f"{PCI}/host{n}/target{n}:0:0/{n}:0:0:0/block/sd{letter}" for n, letter in ((1, "a"), (2, "b"))]
    identities = assign_identities([disk(path, ("wwid", "naa.1")) for path in paths], {})
    assert all("/place/" in identity for identity in identities.values())


def test_nor_does_one_that_a_device_not_looked_at_has() -> None:
    identities = assign_identities([disk(DISK, ("wwid", "naa.1"))], {}, {}, {("block", "wwid", "naa.1")})
    assert "/place/" in identities[DISK]


def test_a_second_one_that_comes_later_leaves_the_first_its_identity() -> None:
    known = {DISK: "block/serial/5VE12345"}
    other = disk(DISK.replace("0:0:0:0", "0:0:1:0"), ("serial", "5VE12345"))
    identities = assign_identities([disk(DISK, ("serial", "5VE12345")), other], known)
    assert identities[DISK] == "block/serial/5VE12345"
    assert "/place/" in identities[other.path]
    assert "/place/" in assign_identities([other], {}, known)[other.path]


def test_a_device_that_stays_keeps_its_identity_whatever_becomes_readable() -> None:
    place = one(disk(DISK))
    assert one(disk(DISK, ("wwid", "naa.1"), ("serial", "5VE12345")), {DISK: place}) == place
    assert one(disk(DISK), {DISK: "block/serial/5VE12345"}) == "block/serial/5VE12345"
    assert one(disk(DISK, ("wwid", "naa.1")), {DISK: "block/serial/5VE12345"}) == "block/serial/5VE12345"


def test_unless_its_own_identifier_is_read_with_another_value() -> None:
    assert one(disk(DISK, ("serial", "OTHER1")), {DISK: "block/serial/5VE12345"}) == "block/serial/OTHER1"


@pytest.mark.parametrize(
    "serial",
    [
        "",
        "0",
        "None",
        "N/A",
        "To be filled by O.E.M.",
        "Default string",
        "00000000",
        "xxxx",
        "123456789",
        "  ",
        "A1_SerNum0",
        "SerNum03",
        "BSN12345678901234567",
        "Chassis Serial Number",
    ],
)
def test_a_serial_that_says_nothing_is_bogus(serial: str) -> None:
    assert is_bogus(serial)


@pytest.mark.parametrize("serial", ["5VE12345", "01", "VMware-56 4d", "S1"])
def test_a_serial_that_says_something_is_not(serial: str) -> None:
    assert not is_bogus(serial)


@pytest.mark.parametrize(
    "wwn, identifying",
    [("10000000c9831b9e", True), ("2101001b32a9da4e", True), ("50060e80056f7001", True), ("c000000000000001", True),
     ("0000000000000000", False), ("ffffffffffffffff", False), ("60060e80056f7001", False), ("112233", False)],
)  # fmt: skip
def test_a_wwn_has_16_digits_of_a_kind_that_somebody_deals(wwn: str, identifying: bool) -> None:
    assert identifies("wwpn", wwn) is identifying


PATHS = st.sampled_from(
    [f"/sys/devices/platform/host{h}/target{h}:0:{t}/block/sd{c}" for h in range(3) for t in range(2) for c in "ab"]
)
SERIALS = st.lists(st.tuples(st.just("serial"), st.sampled_from(["A1", "B2"])), max_size=1)
WORLDS = st.dictionaries(PATHS, SERIALS, max_size=6)


@given(st.lists(WORLDS, max_size=4))
def test_identities_are_unique_and_the_same_when_nothing_changed(
    worlds: list[dict[str, list[tuple[str, str]]]],
) -> None:
    known: dict[str, str] = {}
    for world in worlds:
        subjects = [disk(path, *own) for path, own in world.items()]
        known = assign_identities(subjects, {path: known[path] for path in world if path in known})
        assert len(set(known.values())) == len(subjects)
        assert assign_identities(subjects[::-1], known) == known
