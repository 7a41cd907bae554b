"""SCSI hosts, Fibre Channel ports here and remote, logical units: what each attribute means, traps included."""

from pathlib import Path

import pytest

from hwcensus import document
from hwcensus.classes.scsi import Scsi, ScsiBus, ScsiGeneric
from hwcensus.classes.scsihost import ScsiHost
from hwcensus.document import Identifier, JsonValue
from hwcensus_agent.describe import scsi, scsihost
from hwcensus_agent.enumerate import Enumerator
from tests.fixtures import hal_recording
from tests.unit.sysfs_tree import Tree, facts, look

HBA = "devices/pci0000:00/0000:00:03.0"
PORT = f"{HBA}/host6"
VIRTUAL = f"{PORT}/vport-6:0-0/host7"
REMOTE = f"{PORT}/rport-6:0-1"
TARGET = f"{REMOTE}/target6:0:0"
UNIT = f"{TARGET}/6:0:0:0"
SCSI = "bus/scsi/devices"


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    made = Tree(tmp_path)
    made.device("bus/pci/devices", HBA, vendor="0x10df", device="0xf100", **{"class": "0x0c0400"})
    made.device(SCSI, PORT, uevent="DEVTYPE=scsi_host\n")
    return made


def port(tree: Tree, **attributes: str) -> None:
    """The port of host 6, with what any has."""
    common = {"port_name": "0x10000000c9831b9e", "node_name": "0x20000000c9831b9e", "port_type": "NPort"}
    tree.device("class/fc_host", f"{PORT}/fc_host/host6", **{**common, **attributes})


def of(tree: Tree, name: str, *beginnings: str) -> dict[str, JsonValue]:
    return {path: value for path, value in facts(tree, name).items() if path.startswith(beginnings)}


def test_a_port_says_who_it_is_what_it_can_and_how_it_is(tree: Tree) -> None:
    tree.device("class/scsi_host", f"{PORT}/scsi_host/host6", unique_id="2", proc_name="lpfc", modelname="LPe12002",
                fwrev="2.01A12 (U3D2.01A12), sli-3", serialnum="BG12345678")  # fmt: skip
    port(tree, fabric_name="0x2001000dec123456", port_state="Online", speed="8 Gbit", symbolic_name="Emulex LPe12002",
         supported_speeds="2 Gbit, 4 Gbit, 8 Gbit", max_npiv_vports="255", npiv_vports_inuse="0",
         port_type="NPort (fabric via point-to-point)")  # fmt: skip
    assert of(tree, "scsi_host6", "scsihost.", "fc.", "parent") == {
        "parent": "pci_0000_00_03_0", "scsihost.host": 6, "scsihost.unique_id": 2, "scsihost.proc_name": "lpfc",
        "fc.wwnn": "20000000c9831b9e", "fc.wwpn": "10000000c9831b9e", "fc.vports.max": 255,
        "fc.port_type": "NPort (fabric via point-to-point)", "fc.supported_speeds": "2 4 8", "fc.model": "LPe12002",
        "fc.firmware": "2.01A12 (U3D2.01A12), sli-3", "fc.serial": "BG12345678",
        "fc.port": "Online", "fc.speed": "8", "fc.fabric_wwn": "2001000dec123456",
        "fc.symbolic_name": "Emulex LPe12002", "fc.vports": 0,
    }  # fmt: skip


def test_a_port_is_its_wwpn_and_what_is_reached_through_it_is_seen(tree: Tree) -> None:
    port(tree, fabric_name="0x2001000dec123456")
    found = look(tree)["scsi_host6"]
    assert found.identity == "scsi/wwpn/10000000c9831b9e"
    assert document.survey(found.element).identifiers == [
        Identifier(kind="wwnn", value="20000000c9831b9e", own=True),
        Identifier(kind="wwpn", value="10000000c9831b9e", own=True),
        Identifier(kind="wwnn", value="2001000dec123456", own=False),
    ]


@pytest.mark.parametrize(
    "names",
    [
        ("scsi_host", "model_name", "fw_version", "serial_num"),
        ("scsi_host", "model", "firmware_version", "serial_number"),
        ("fc_host", "model", "firmware_version", "serial_number"),
    ],
    ids=["qla2xxx", "bfa", "FDMI"],
)
def test_what_an_adapter_is_has_other_names_with_other_drivers(tree: Tree, names: tuple[str, str, str, str]) -> None:
    subsystem, model, firmware, serial = names
    port(tree)
    given = {model: "QLE2562", firmware: "8.08.05", serial: "RFD1706J28190"}
    tree.device(f"class/{subsystem}", f"{PORT}/{subsystem}/host6", **given)
    assert of(tree, "scsi_host6", "fc.model", "fc.firmware", "fc.serial") == {
        "fc.model": "QLE2562", "fc.firmware": "8.08.05", "fc.serial": "RFD1706J28190"
    }  # fmt: skip


def test_a_port_that_is_down_keeps_its_type_and_has_neither_speed_nor_fabric(tree: Tree) -> None:
    port(tree, port_state="Linkdown", port_type="Unknown", speed="unknown", fabric_name="0x0")
    assert of(tree, "scsi_host6", "fc.", "device.") == {
        "fc.wwnn": "20000000c9831b9e", "fc.wwpn": "10000000c9831b9e", "fc.port": "Linkdown",
        "device.unread": "fc.port_type",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["0x0", "0xffffffffffffffff", "none", "0x112233445566778899"])
def test_what_is_no_wwn_is_none(tree: Tree, name: str) -> None:
    port(tree, port_name=name, fabric_name=name)
    assert of(tree, "scsi_host6", "fc.wwpn", "fc.fabric") == {}
    assert look(tree)["scsi_host6"].identity == "scsi/place/pci0000:00%2F0000:00:03.0%2Fhost"


def test_a_virtual_port_names_the_port_it_is_made_on(tree: Tree) -> None:
    port(tree, max_npiv_vports="255", npiv_vports_inuse="1")
    tree.device(SCSI, VIRTUAL, uevent="DEVTYPE=scsi_host\n")
    tree.device("class/fc_host", f"{VIRTUAL}/fc_host/host7", port_name="0x2101001b32a9da4e", port_state="Online",
                node_name="0x2001001b32a9da4e", port_type="NPIV VPORT")  # fmt: skip
    tree.device("class/fc_vports", f"{PORT}/vport-6:0-0/fc_vports/vport-6:0-0", vport_state="Active")
    assert of(tree, "scsi_host7", "fc.", "parent") == {
        "parent": "scsi_host6", "fc.wwnn": "2001001b32a9da4e", "fc.wwpn": "2101001b32a9da4e",
        "fc.vport.parent_wwpn": "10000000c9831b9e", "fc.port_type": "NPIV VPORT", "fc.port": "Online",
        "fc.vport": "Active",
    }  # fmt: skip
    assert of(tree, "scsi_host6", "fc.vports") == {"fc.vports.max": 255, "fc.vports": 1}


def test_an_adapter_shows_which_virtual_ports_are_wanted_on_it_and_those_show_none(tree: Tree) -> None:
    port(tree)
    tree.device(SCSI, VIRTUAL, uevent="DEVTYPE=scsi_host\n")
    tree.device("class/fc_host", f"{VIRTUAL}/fc_host/host7", port_name="0x2101001b32a9da4e")
    enumerator = Enumerator(str(tree.sys))
    enumerator.wanted = {
        "10000000c9831b9e": ("2101001b32a9da4e", "2101001b32a9da4f"),
        "2101001b32a9da4e": ("x",),
    }.__getitem__
    states = {one.name: document.survey(one.element).state for one in enumerator.everything().devices}
    assert states["scsi_host6"]["fc.wanted"] == ["2101001b32a9da4e", "2101001b32a9da4f"]
    assert "fc.wanted" not in states["scsi_host7"]


def test_vports_are_counted_by_the_scsi_host_where_lpfc_was_first(tree: Tree) -> None:
    port(tree)
    tree.device("class/scsi_host", f"{PORT}/scsi_host/host6", max_npiv_vports="100", npiv_vports_inuse="3")
    assert of(tree, "scsi_host6", "fc.vports") == {"fc.vports.max": 100, "fc.vports": 3}


def test_a_kernel_that_keeps_class_devices_by_themselves_tells_the_same(tree: Tree) -> None:
    for subsystem, attributes in {
        "scsi_host": {"unique_id": "1", "proc_name": "qla2xxx"},
        "fc_host": {"port_name": "0x2100001b32910a4c", "port_state": "Online"},
    }.items():
        folder = tree.sys / "class" / subsystem / "host6"
        folder.mkdir(parents=True)
        for name, value in attributes.items():
            (folder / name).write_text(f"{value}\n")
    assert of(tree, "scsi_host6", "scsihost.", "fc.") == {
        "scsihost.host": 6, "scsihost.unique_id": 1, "scsihost.proc_name": "qla2xxx",
        "fc.wwpn": "2100001b32910a4c", "fc.port": "Online",
    }  # fmt: skip


def test_a_host_that_is_no_port_has_a_number_and_no_model(tree: Tree) -> None:
    tree.device("class/scsi_host", f"{PORT}/scsi_host/host6", unique_id="0", proc_name="mpt3sas", model="9300")
    assert of(tree, "scsi_host6", "scsihost.", "fc.") == {
        "scsihost.host": 6, "scsihost.unique_id": 0, "scsihost.proc_name": "mpt3sas"
    }  # fmt: skip


def test_a_driver_that_gives_no_name_has_none(tree: Tree) -> None:
    tree.device("class/scsi_host", f"{PORT}/scsi_host/host6", unique_id="0", proc_name="(null)")
    assert of(tree, "scsi_host6", "scsihost.") == {"scsihost.host": 6, "scsihost.unique_id": 0}


def remote_port(tree: Tree, **attributes: str) -> None:
    tree.device(SCSI, TARGET, uevent="DEVTYPE=scsi_target\n")
    tree.device("class/fc_remote_ports", f"{REMOTE}/fc_remote_ports/rport-6:0-1", **attributes)


def test_a_target_names_the_remote_port_it_is_reached_through(tree: Tree) -> None:
    remote_port(tree, port_name="0x50060e80056f7001", node_name="0x50060e80056f7000", roles="FCP Target",
                port_id="0x010100", port_state="Online")  # fmt: skip
    assert of(tree, "scsi_target6_0_0", "scsi_target.", "fc_remote_port.") == {
        "scsi_target.host": 6, "scsi_target.bus": 0, "scsi_target.target": 0,
        "fc_remote_port.wwnn": "50060e80056f7000", "fc_remote_port.wwpn": "50060e80056f7001",
        "fc_remote_port.roles": "FCP Target", "fc_remote_port.port_id": "010100", "fc_remote_port.port": "Online",
    }  # fmt: skip
    found = look(tree)["scsi_target6_0_0"]
    assert {one.own for one in document.survey(found.element).identifiers} == {False}
    assert found.identity.startswith("scsi/place/")


def test_a_remote_port_that_is_lost_has_no_address_and_keeps_its_roles(tree: Tree) -> None:
    remote_port(tree, port_name="0x50060e80056f7001", roles="unknown", port_id="0xffffffff", port_state="Not Present")
    assert of(tree, "scsi_target6_0_0", "fc_remote_port.", "device.") == {
        "fc_remote_port.wwpn": "50060e80056f7001", "fc_remote_port.port": "Not Present",
        "device.unread": "fc_remote_port.roles",
    }  # fmt: skip


def test_a_target_of_no_fibre_channel_is_a_place_only(tree: Tree) -> None:
    tree.device(SCSI, f"{PORT}/target6:0:5", uevent="DEVTYPE=scsi_target\n")
    found = document.survey(look(tree)["scsi_target6_0_5"].element)
    assert (found.capabilities, found.facts["scsi_target.target"]) == (["scsi_target"], 5)


def test_a_logical_unit_has_its_address_its_maker_and_its_type(tree: Tree) -> None:
    tree.device(SCSI, UNIT, uevent="DEVTYPE=scsi_device\n", vendor="HITACHI ", model="OPEN-V          ", rev="6008",
                type="0", state="running")  # fmt: skip
    tree.link(f"{UNIT}/driver", "bus/scsi/drivers/sd")
    assert of(tree, "scsi_6_0_0_0", "scsi.", "driver") == {
        "driver": "sd", "scsi.vendor": "HITACHI", "scsi.model": "OPEN-V", "scsi.host": 6, "scsi.bus": 0,
        "scsi.target": 0, "scsi.lun": 0, "scsi.type": "disk", "scsi.revision": "6008", "scsi.device": "running",
    }  # fmt: skip


@pytest.mark.parametrize(
    "code, name",
    [("1", "tape"), ("3", "processor"), ("5", "cdrom"), ("8", "changer"), ("12", "raid"), ("13", "enclosure"),
     ("20", "zbc"), ("30", "wlun"), ("31", None)],
)  # fmt: skip
def test_a_type_is_given_by_name(tree: Tree, code: str, name: str | None) -> None:
    tree.device(SCSI, UNIT, uevent="DEVTYPE=scsi_device\n", type=code)
    assert facts(tree, "scsi_6_0_0_0").get("scsi.type") == name


def test_an_old_kernel_gives_no_devtype_and_has_logical_units_only(tree: Tree) -> None:
    tree.device(SCSI, f"{PORT}/target6:0:0/6:0:0:4294967296", type="0")
    assert facts(tree, "scsi_6_0_0_4294967296")["scsi.lun"] == 1 << 32


def test_a_generic_node_is_below_what_it_is_of(tree: Tree) -> None:
    tree.device(SCSI, UNIT, uevent="DEVTYPE=scsi_device\n", type="8")
    tree.device("class/scsi_generic", f"{UNIT}/scsi_generic/sg0", uevent="MAJOR=21\nMINOR=0\nDEVNAME=sg0\n")
    assert of(tree, "scsi_generic_sg0", "parent", "devnode", "scsi_generic.") == {
        "parent": "scsi_6_0_0_0", "devnode": ["/dev/sg0"], "scsi_generic.device": "/dev/sg0"
    }  # fmt: skip


def test_hal_tells_of_hosts_and_logical_units_and_their_nodes(tmp_path: Path) -> None:
    recorded, host = hal_recording.load("fcserver"), hal_recording.host(tmp_path)
    name = "pci_10df_f100_scsi_host_scsi_device_lun1"
    unit = scsi.describe_unit(hal_recording.view(recorded[name], tmp_path), host)
    assert unit.bus == ScsiBus(vendor="IBM", model="3573-TL", host=2, bus=0, target=0, lun=1)
    assert unit.capabilities == (Scsi(device_type="changer"),)
    node = scsi.describe_generic(hal_recording.view(recorded[f"{name}_scsi_generic"], tmp_path), host)
    assert node.capabilities == (ScsiGeneric(device="/dev/sg7"),)
    adapter = scsihost.describe(hal_recording.view(recorded["pci_10df_f100_scsi_host"], tmp_path), host)
    assert adapter.capabilities == (ScsiHost(host=2),)
