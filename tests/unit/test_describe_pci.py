"""PCI functions: each fact, from each source that knows it, and the traps on the way."""

from pathlib import Path

import pytest

from hwcensus import codec, document
from hwcensus.device import Device
from hwcensus.document import JsonValue
from hwcensus_agent import hwdb, ids
from hwcensus_agent.describe import pci
from hwcensus_agent.host import HostView
from tests.fixtures import hal_recording
from tests.unit.sysfs_tree import Tree, facts, look
from tests.unit.test_vpd import written

HOME = "bus/pci/devices"
NAME = "pci_0000_00_03_0"
PATH = "devices/pci0000:00/0000:00:03.0"
BRIDGE = "devices/pci0000:00/0000:00:1c.0"


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


def function(tree: Tree, path: str = PATH, **more: str) -> Path:
    return tree.device(HOME, path, **({"vendor": "0x8086", "device": "0x1572"} | more))


def unread(tree: Tree) -> set[str]:
    state = look(tree)[NAME].device.state
    return set() if state is None else set((state.unread or "").split())


def only(found: dict[str, JsonValue], *paths: str) -> dict[str, JsonValue]:
    return {path: found[path] for path in paths if path in found}


def config(*, header: int = 0, capabilities: bytes = b"", pointer: int = 0x40, buses: bytes = b"\0\0\0") -> bytes:
    """A configuration space: ids, revision 3, header type, bus numbers, and what begins at 0x40."""
    raw = bytearray(64)
    raw[0:4] = b"\x86\x80\x72\x15"
    raw[0x06] = 0x10 if capabilities else 0
    raw[0x08] = 3
    raw[0x0E] = header
    raw[0x18:0x1B] = buses
    raw[0x14 if header & 0x7F == 2 else 0x34] = pointer
    return bytes(raw) + capabilities


def express(*, port: int, speed: int, width: int, kind: int = 0) -> bytes:
    """An express capability of this type of function, with these link capabilities."""
    return (
        bytes([0x10, 0, kind << 4 | 2]) + bytes(9) + (port << 24 | width << 4 | speed).to_bytes(4, "little") + bytes(44)
    )


def test_of_config_space_come_the_port_of_the_link_and_what_an_old_kernel_does_not_tell(tree: Tree) -> None:
    power = bytes([0x01, 0x48, 0, 0, 0, 0, 0, 0])
    folder = function(tree)
    (folder / "config").write_bytes(config(capabilities=power + express(port=7, speed=3, width=8)))
    found = only(facts(tree, NAME), "pci.link.port", "pci.link.speed", "pci.link.width", "pci.revision")
    assert found == {"pci.link.port": 7, "pci.link.speed": "8", "pci.link.width": 8, "pci.revision": 3}


def test_what_the_kernel_tells_of_the_link_goes_before_config_space(tree: Tree) -> None:
    folder = function(tree, max_link_speed="16.0 GT/s PCIe", max_link_width="16", revision="0x05")
    (folder / "config").write_bytes(config(capabilities=express(port=1, speed=3, width=8)))
    found = only(facts(tree, NAME), "pci.link.port", "pci.link.speed", "pci.link.width", "pci.revision")
    assert found == {"pci.link.port": 1, "pci.link.speed": "16", "pci.link.width": 16, "pci.revision": 5}


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\xff" * 256,
        bytes(256),
        config()[:60],
        config(capabilities=bytes([0x01, 0x40]) + bytes(190)),
        config(capabilities=bytes([0x01, 0x44, 0, 0, 0x05, 0x40]) + bytes(190)),
        config(capabilities=bytes(192), pointer=0x10),
        config(capabilities=express(port=0, speed=0, width=0)),
        config(capabilities=express(port=9, speed=3, width=8)[:8]),
        config(capabilities=express(port=9, speed=3, width=8, kind=9)),
    ],
    ids=["empty", "off", "zeros", "short", "loop", "loop of two", "in the header", "no link", "cut", "integrated"],
)
def test_a_config_space_that_makes_no_sense_has_no_link(tree: Tree, raw: bytes) -> None:
    (function(tree) / "config").write_bytes(raw)
    assert [path for path in facts(tree, NAME) if "link" in path] == []


def test_capabilities_that_only_root_may_read_leave_the_port_unread(tree: Tree) -> None:
    folder = function(tree, max_link_speed="8.0 GT/s PCIe")
    (folder / "config").write_bytes(config(capabilities=b"hidden")[:64])
    assert unread(tree) == {"pci.link.port"}


@pytest.mark.parametrize(
    "code, header, expected",
    [("0x060400", 1, "pci"), ("0x060401", 0x81, "pci"), ("0x060700", 2, "cardbus"), ("0x060000", 0, None)],
)
def test_a_bridge_says_its_kind_and_the_buses_below_it(
    tree: Tree, code: str, header: int, expected: str | None
) -> None:
    folder = function(tree, **{"class": code})
    (folder / "config").write_bytes(config(header=header, buses=b"\x00\x1e\x2f"))
    found = only(facts(tree, NAME), "pci.bridge.type", "pci.bridge.secondary", "pci.bridge.subordinate")
    behind = {"pci.bridge.secondary": "1e", "pci.bridge.subordinate": "2f"}
    assert found == ({} if expected is None else {"pci.bridge.type": expected} | behind)


def test_a_bridge_has_its_buses_from_the_kernel_where_that_tells(tree: Tree) -> None:
    function(tree, secondary_bus_number="30", subordinate_bus_number="47", **{"class": "0x060400"})
    found = facts(tree, NAME)
    assert (found["pci.bridge.secondary"], found["pci.bridge.subordinate"]) == ("1e", "2f")


def test_vital_product_data_are_facts(tree: Tree) -> None:
    fields = {"PN": "MCX556A-EDAT", "SN": "MT2043K01234", "EC": "AC", "MN": "1022"}
    (function(tree) / "vpd").write_bytes(written("ConnectX-5 Ex", fields, {"YA": "IT-0815"}))
    assert {path: value for path, value in facts(tree, NAME).items() if "vpd" in path} == {
        "pci.vpd.name": "ConnectX-5 Ex", "pci.vpd.part": "MCX556A-EDAT", "pci.vpd.serial": "MT2043K01234",
        "pci.vpd.change_level": "AC", "pci.vpd.manufacturer": "1022", "pci.vpd.asset": "IT-0815",
    }  # fmt: skip


def test_vital_product_data_are_read_once_while_the_device_is_there(tree: Tree) -> None:
    folder = function(tree)
    (folder / "vpd").write_bytes(written("NIC", {"SN": "A1"}))
    assert facts(tree, NAME)["pci.vpd.serial"] == "A1"
    with (folder / "vpd").open("r+b") as same_file:
        same_file.write(written("NIC", {"SN": "B2"}))
    assert facts(tree, NAME)["pci.vpd.serial"] == "A1"
    (folder / "vpd").rename(folder / "kept, so that its number is not dealt again")
    (folder / "vpd").write_bytes(written("NIC", {"SN": "C3"}))
    assert facts(tree, NAME)["pci.vpd.serial"] == "C3"


def test_a_function_that_sleeps_is_not_woken(tree: Tree) -> None:
    folder = function(tree, power__runtime_status="suspended", max_link_speed="8.0 GT/s PCIe", revision="0x05")
    (folder / "config").write_bytes(config(capabilities=express(port=7, speed=3, width=8)))
    (folder / "vpd").write_bytes(written("NIC", {"SN": "A1"}))
    assert "pci.link.port" not in facts(tree, NAME)
    assert {"pci.link.port", "pci.vpd.serial"} <= unread(tree)
    assert not {"pci.link.speed", "pci.revision", "pci.bridge.secondary"} & unread(tree)
    (folder / "power/runtime_status").write_text("active\n")
    assert facts(tree, NAME)["pci.vpd.serial"] == "A1"
    (folder / "power/runtime_status").write_text("suspended\n")
    assert (facts(tree, NAME)["pci.link.port"], facts(tree, NAME)["pci.vpd.serial"]) == (7, "A1")


def test_the_slot_is_the_one_that_has_the_functions_address(tree: Tree) -> None:
    for path in (PATH, f"{PATH[:-1]}1", BRIDGE):
        function(tree, path)
    for slot, address in (("4-1", "0000:00:03"), ("5", "0000:07:00")):
        (tree.sys / f"bus/pci/slots/{slot}").mkdir(parents=True)
        (tree.sys / f"bus/pci/slots/{slot}/address").write_text(f"{address}\n")
    names = ("pci_0000_00_03_0", "pci_0000_00_03_1", "pci_0000_00_1c_0")
    assert [facts(tree, name).get("pci.physical_slot") for name in names] == ["4-1", "4-1", None]


def test_a_function_names_those_of_its_iommu_group_and_its_virtual_ones(tree: Tree) -> None:
    others = [f"{PATH[:-1]}{number}" for number in (1, 2)]
    for path in (PATH, *others):
        function(tree, path, **({"sriov_numvfs": "2"} if path == PATH else {}))
        tree.link(f"{path}/iommu_group", "kernel/iommu_groups/17")
        tree.link(f"kernel/iommu_groups/17/devices/{path[-12:]}", path)
    for number, path in enumerate(others):
        tree.link(f"{PATH}/virtfn{1 - number}", path)
        tree.link(f"{path}/physfn", PATH)
    found = facts(tree, NAME)
    assert found["pci.iommu_group"] == 17
    assert found["pci.member"] == ["pci_0000_00_03_0", "pci_0000_00_03_1", "pci_0000_00_03_2"]
    assert found["pci.virt_function"] == ["pci_0000_00_03_1", "pci_0000_00_03_2"]
    assert facts(tree, "pci_0000_00_03_2")["pci.phys_function"] == "pci_0000_00_03_0"


@pytest.mark.parametrize("text, expected", [("(null)", None), ("vfio-pci", "vfio-pci")])
def test_a_driver_override_is_told_if_there_is_one(tree: Tree, text: str, expected: str | None) -> None:
    function(tree, driver_override=text)
    assert facts(tree, NAME).get("pci.driver_override") == expected


@pytest.mark.parametrize("lanes", ["0", "63", "255"])
def test_a_width_that_no_link_can_have_is_none(tree: Tree, lanes: str) -> None:
    function(tree, current_link_width=lanes, max_link_width="4")
    assert "pci.link_width" not in facts(tree, NAME)


IDS = """# a list
8086  Intel Corporation
\t1571  Ethernet Controller of old
\t1572  Ethernet Controller X710 for 10GbE SFP+
\t\t17aa 4023  Ethernet 10G 4P X710 OCP
\t1573  Another
17aa  Lenovo
"""


def test_a_board_has_its_names_by_the_list_where_udev_has_no_database(
    tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pci.ids").write_text(IDS)
    monkeypatch.setattr(ids.lookup, "__defaults__", ((tmp_path,),))
    monkeypatch.setattr(hwdb, "_database", lambda: None)
    monkeypatch.setattr(hwdb, "lookup", hwdb.lookup.__wrapped__)
    tree.device(HOME, PATH, uevent="MODALIAS=pci:v00008086d00001572sv000017AAsd00004023bc02sc00i00\n", vendor="0x8086",
                device="0x1572", subsystem_vendor="0x17aa", subsystem_device="0x4023")  # fmt: skip
    host = HostView(str(tree.sys))
    host.live = True
    bus = pci.BUS.of(host.view(f"/sys/{PATH}", "pci"), host)
    assert bus is not None
    assert (bus.vendor_name, bus.subsystem_vendor_name) == ("Intel Corporation", "Lenovo")
    assert bus.product_name == "Ethernet Controller X710 for 10GbE SFP+ (Ethernet 10G 4P X710 OCP)"
    assert bus.subsystem_name == "Ethernet 10G 4P X710 OCP"


def test_a_function_says_its_numa_node_and_the_width_of_its_link_now(tree: Tree) -> None:
    function(tree, numa_node="1", current_link_width="4")
    found = facts(tree, NAME)
    assert (found["pci.numa_node"], found["pci.link_width"]) == (1, 4)


def test_a_driver_that_takes_hold_is_told_by_the_next_look(tree: Tree) -> None:
    function(tree)
    assert "driver" not in facts(tree, NAME)
    tree.link(f"{PATH}/driver", "bus/pci/drivers/vfio-pci")
    assert facts(tree, NAME)["driver"] == "vfio-pci"


def by_hal(recording: str, udi: str, empty: Path) -> dict[str, JsonValue]:
    view = hal_recording.view(hal_recording.load(recording)[udi], empty)
    described = pci.describe(view, hal_recording.host(empty))
    return document.survey(
        codec.write_device(Device(name="x", bus=described.bus, capabilities=described.capabilities))
    ).facts


def test_hal_alone_knows_ids_names_class_and_address(tmp_path: Path) -> None:
    assert by_hal("lab-vm", "pci_1af4_1041", tmp_path) == {
        "pci.vendor": 6900, "pci.vendor_name": "Red Hat, Inc.", "pci.product": 4161,
        "pci.product_name": "Virtio 1.0 network device", "pci.subsystem.vendor": 6900, "pci.subsystem.product": 4161,
        "pci.subsystem.vendor_name": "Red Hat, Inc.", "pci.class": "020000", "pci.address.domain": "0000",
        "pci.address.bus": "00", "pci.address.slot": "03", "pci.address.function": "0",
    }  # fmt: skip


def test_of_a_board_that_hal_has_no_number_of_there_is_none(tmp_path: Path) -> None:
    found = by_hal("desktop", "pci_1180_552", tmp_path)
    assert (found["pci.class"], found["pci.address.bus"]) == ("0c0010", "15")
    assert not [path for path in found if "subsystem" in path]


def test_a_bridge_is_one_by_hals_word_too(tmp_path: Path) -> None:
    bridges = [udi for udi, said in hal_recording.load("desktop").items()
               if (said.get("pci.device_class"), said.get("pci.device_subclass")) == (6, 4)]  # fmt: skip
    assert bridges
    assert {by_hal("desktop", udi, tmp_path)["pci.bridge.type"] for udi in bridges} == {"pci"}


def test_a_function_has_a_node_and_the_lanes_in_use(tree: Tree) -> None:
    function(tree, numa_node="1", max_link_width="16", current_link_width="8")
    found = facts(tree, "pci_0000_00_03_0")
    assert (found["pci.numa_node"], found["pci.link.width"], found["pci.link_width"]) == (1, 16, 8)
