"""The computer and its memory modules: SMBIOS, the device tree, what HAL says, and the traps on the way."""

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from hwcensus import codec, document
from hwcensus.device import Device
from hwcensus.document import JsonValue
from hwcensus_agent.describe import computer
from hwcensus_agent.enumerate import Enumerator
from hwcensus_agent.host import HostView
from hwcensus_agent.view import HalValue
from tests.fixtures import hal_recording
from tests.unit.smbios_table import install, module, structure
from tests.unit.sysfs_tree import Tree, facts, look

SAMSUNG = ("DIMM_A1", "NODE 1", "Samsung", "37A1B2C3", "9876", "M393A4K40DB3-CWE")
MIB = 1 << 20


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    made = Tree(tmp_path)
    (made.sys / "class/net").mkdir()
    (made.sys / "devices").mkdir()
    return made


def test_a_module_is_a_device_with_what_smbios_says_of_it(tree: Tree) -> None:
    install(tree.sys, structure(1, b"\x01", "ACME"), module(*SAMSUNG))
    assert facts(tree, "dimm_0") == {
        "name": "dimm_0", "key": "/sys/firmware/dmi/entries/17-0", "parent": "computer", "dimm.locator": "DIMM_A1",
        "dimm.bank": "NODE 1", "dimm.size": 0x4000 * MIB, "dimm.memory_type": "DDR4", "dimm.speed": 3200,
        "dimm.manufacturer": "Samsung", "dimm.part": "M393A4K40DB3-CWE", "dimm.serial": "37A1B2C3",
    }  # fmt: skip
    assert look(tree)["dimm_0"].identity == "dimm/place/firmware%2Fdmi%2Fentries%2F-0"


@pytest.mark.parametrize(
    "size, extended, expected",
    [
        (0x4000, 0, 0x4000 * MIB),
        (0x8400, 0, 0x400 * 1024),
        (0x7FFF, 0x8000, 32768 * MIB),
        (0x7FFF, 0x80008000, 32768 * MIB),
        (0x7FFF, 0, None),
        (0xFFFF, 0, None),
    ],
)
def test_a_module_has_the_size_that_smbios_says(tree: Tree, size: int, extended: int, expected: int | None) -> None:
    install(tree.sys, module(*SAMSUNG, size=size, extended_size=extended))
    assert facts(tree, "dimm_0").get("dimm.size") == expected


@pytest.mark.parametrize(
    "speed, extended, expected", [(4800, 0, 4800), (0, 0, None), (0xFFFF, 70000, 70000), (0xFFFF, 0, None)]
)
def test_a_module_has_the_speed_that_smbios_says(tree: Tree, speed: int, extended: int, expected: int | None) -> None:
    install(tree.sys, module(*SAMSUNG, speed=speed, extended_speed=extended))
    assert facts(tree, "dimm_0").get("dimm.speed") == expected


@pytest.mark.parametrize("kind, expected", [(0x22, "DDR5"), (0x18, "DDR3"), (0x02, None), (0xEE, None)])
def test_a_module_is_of_the_type_that_smbios_says(tree: Tree, kind: int, expected: str | None) -> None:
    install(tree.sys, module(*SAMSUNG, kind=kind))
    assert facts(tree, "dimm_0").get("dimm.memory_type") == expected


def test_a_module_of_an_old_smbios_has_what_that_knew(tree: Tree) -> None:
    install(tree.sys, module("DIMM 1", "BANK 0", length=0x15))
    assert {path: value for path, value in facts(tree, "dimm_0").items() if path.startswith("dimm.")} == {
        "dimm.locator": "DIMM 1", "dimm.bank": "BANK 0", "dimm.size": 0x4000 * MIB, "dimm.memory_type": "DDR4",
    }  # fmt: skip


def test_a_slot_that_nothing_is_in_is_the_computers_state_and_no_device(tree: Tree) -> None:
    install(tree.sys, module("DIMM_B2", size=0), module(*SAMSUNG), module("DIMM_A2", size=0), module(*SAMSUNG))
    devices = look(tree)
    assert sorted(devices) == ["computer", "dimm_1", "dimm_3"]
    assert facts(tree, "computer")["system.empty_slot"] == ["DIMM_A2", "DIMM_B2"]
    assert facts(tree, "computer")["system.memory"] == 2 * 0x4000 * MIB


def test_the_chip_that_firmware_is_in_is_a_module_but_no_memory(tree: Tree) -> None:
    install(tree.sys, module(*SAMSUNG), module("SYSTEM ROM", size=16, kind=0x09))
    assert facts(tree, "dimm_1")["dimm.memory_type"] == "Flash"
    assert facts(tree, "computer")["system.memory"] == 0x4000 * MIB


def test_memory_that_only_root_may_read_about_is_unread_and_no_module_is_made_up(tree: Tree) -> None:
    tree.unreadable("firmware/dmi/tables/DMI")
    devices = look(tree)
    assert list(devices) == ["computer"]
    state = devices["computer"].device.state
    assert state is not None
    assert (state.unread or "").split() == ["system.empty_slot", "system.memory"]


def test_modules_that_are_known_stay_when_their_table_cannot_be_read_any_more(tree: Tree) -> None:
    install(tree.sys, module(*SAMSUNG), module("DIMM_A2", size=0))
    enumerator = Enumerator(str(tree.sys))
    devices = enumerator.everything().devices
    before = {one.identity: one.device for one in devices}
    identities, names = {one.key: one.identity for one in devices}, {one.key: one.name for one in devices}
    tree.unreadable("firmware/dmi/tables/DMI")
    whole = enumerator.everything(identities, names, before.get)
    for looked in (whole, enumerator.some(names, identities, names, before.get)):
        now = {one.name: document.survey(one.element).facts for one in looked.devices}
        assert now["dimm_0"]["dimm.serial"] == "37A1B2C3"
        assert now["computer"]["system.memory"] == 0x4000 * MIB


def test_a_module_that_was_pulled_goes_and_its_slot_is_empty(tree: Tree) -> None:
    install(tree.sys, module(*SAMSUNG), module(*SAMSUNG))
    enumerator = Enumerator(str(tree.sys))
    devices = enumerator.everything().devices
    identities, names = {one.key: one.identity for one in devices}, {one.key: one.name for one in devices}
    install(tree.sys, module(*SAMSUNG), module("DIMM_A2", size=0))
    for looked in (enumerator.everything(identities, names), enumerator.some(names, identities, names)):
        assert {one.name for one in looked.devices} == {"computer", "dimm_0"}


def dmi(tree: Tree, **fields: str) -> None:
    folder = tree.sys / "class/dmi/id"
    folder.mkdir(parents=True)
    for name, value in fields.items():
        (folder / name).write_text(f"{value}\n")


def test_board_and_chassis_have_asset_tags_and_serials(tree: Tree) -> None:
    dmi(tree, board_vendor="ACME", board_name="X11", board_serial="OM1", board_asset_tag="B-17", chassis_vendor="Case",
        chassis_version="2U", chassis_serial="C123", chassis_asset_tag="IT-0815")  # fmt: skip
    assert {path: value for path, value in facts(tree, "computer").items() if path.startswith("system.")} == {
        "system.board.vendor": "ACME", "system.board.product": "X11", "system.board.serial": "OM1",
        "system.board.asset": "B-17", "system.chassis.vendor": "Case", "system.chassis.product": "2U",
        "system.chassis.serial": "C123", "system.chassis.asset": "IT-0815",
    }  # fmt: skip


@pytest.mark.parametrize(
    "fields, expected",
    [
        ({"sys_vendor": "QEMU", "product_name": "Standard PC (Q35 + ICH9, 2009)"}, "qemu"),
        ({"sys_vendor": "Red Hat", "product_name": "KVM"}, "kvm"),
        ({"sys_vendor": "VMware, Inc.", "product_name": "VMware7,1"}, "vmware"),
        ({"sys_vendor": "Microsoft Corporation", "product_name": "Virtual Machine"}, "microsoft"),
        ({"sys_vendor": "Microsoft Corporation", "product_name": "Surface Book"}, None),
        ({"sys_vendor": "innotek GmbH", "product_name": "VirtualBox"}, "oracle"),
        ({"sys_vendor": "Amazon EC2", "product_name": "m5.large"}, "amazon"),
        ({"sys_vendor": "Google", "product_name": "Google Compute Engine"}, "google"),
        ({"sys_vendor": "Dell Inc.", "product_name": "PowerEdge R640"}, None),
    ],
)
def test_a_guest_is_one_by_what_its_firmware_calls_the_machine(
    tree: Tree, fields: dict[str, str], expected: str | None
) -> None:
    dmi(tree, **fields)
    assert facts(tree, "computer").get("system.virtualization") == expected


def test_the_running_system_says_its_release_kernel_and_boot(
    tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "os-release").write_text('NAME="Debian"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n')
    monkeypatch.setattr(computer, "OS_RELEASE", (tmp_path / "nowhere", tmp_path / "os-release"))
    host = HostView(str(tree.sys))
    host.live = True
    view = host.view("/sys/devices", "computer")
    system, state = computer.SYSTEM.of(view, host), computer.STATE.of(view, host)
    assert system is not None
    assert state is not None
    uname = os.uname()
    assert (system.os, system.kernel, system.architecture) == (
        "Debian GNU/Linux 12 (bookworm)", uname.release, uname.machine
    )  # fmt: skip
    assert state.boot == Path("/proc/sys/kernel/random/boot_id").read_text().strip()


@pytest.mark.parametrize(
    "uuid, told",
    [("4c4c4544-0042-3010-8051-b4c04f4d3132", True), ("00000000-0000-0000-0000-000000000000", False),
     ("ffffffff-ffff-ffff-ffff-ffffffffffff", False), ("03000200-0400-0500-0006-000700080009", False)],
)  # fmt: skip
def test_a_uuid_that_makers_leave_in_firmware_is_a_fact_but_tells_no_machine_apart(
    tree: Tree, uuid: str, *, told: bool
) -> None:
    dmi(tree, product_uuid=uuid.upper())
    survey = document.survey(look(tree)["computer"].element)
    assert survey.facts["system.hardware.uuid"] == uuid
    assert [one.value for one in survey.identifiers] == ([uuid] if told else [])


def test_a_machine_without_smbios_is_what_its_device_tree_says(tree: Tree) -> None:
    base = tree.sys / "firmware/devicetree/base"
    base.mkdir(parents=True)
    (base / "model").write_bytes(b"Raspberry Pi 4 Model B Rev 1.4\0")
    (base / "serial-number").write_bytes(b"10000000a1b2c3d4\0")
    (base / "compatible").write_bytes(b"raspberrypi,4-model-b\0brcm,bcm2711\0")
    assert {path: value for path, value in facts(tree, "computer").items() if path.startswith("system.")} == {
        "system.hardware.vendor": "raspberrypi", "system.hardware.product": "Raspberry Pi 4 Model B Rev 1.4",
        "system.hardware.serial": "10000000a1b2c3d4",
    }  # fmt: skip


def test_firmware_that_names_no_maker_names_none(tree: Tree) -> None:
    base = tree.sys / "firmware/devicetree/base"
    base.mkdir(parents=True)
    (base / "compatible").write_bytes(b"generic\0brcm,bcm2711\0")
    assert not [path for path in facts(tree, "computer") if path.startswith("system.")]


#: What hald 0.5.14 said of a laptop, its numbers made up.
NEW = {
    "system.hardware.vendor": "Dell Inc.", "system.hardware.product": "Latitude", "system.hardware.version": "A01",
    "system.hardware.serial": "ABCDE4J", "system.hardware.uuid": "44454C4C-5300-1059-8057-C3C04F4E344A",
    "system.firmware.vendor": "Dell BIOS", "system.firmware.version": "A09",
    "system.firmware.release_date": "05/05/2010", "system.board.vendor": "Dell Board",
    "system.board.product": "0M374P", "system.board.serial": ".CN70166021G097.", "system.board.version": "",
    "system.chassis.manufacturer": "Dell Chassis", "system.chassis.type": "Portable",
    "system.kernel.machine": "x86_64", "system.kernel.version": "2.6.33.5",
}  # fmt: skip
#: The same in the words of hald 0.5.8.
OLD = {
    "smbios.system.manufacturer": "Dell Inc.", "smbios.system.product": "Latitude", "smbios.system.version": "A01",
    "smbios.system.serial": "ABCDE4J", "smbios.system.uuid": "44454C4C-5300-1059-8057-C3C04F4E344A",
    "smbios.bios.vendor": "Dell BIOS", "smbios.bios.version": "A09", "smbios.bios.release_date": "05/05/2010",
    "smbios.chassis.manufacturer": "Dell Chassis", "system.kernel.machine": "x86_64",
    "system.kernel.version": "2.6.33.5",
}  # fmt: skip


def by_hal(properties: Mapping[str, HalValue], empty: Path) -> dict[str, JsonValue]:
    described = computer.describe(hal_recording.view(properties, empty), hal_recording.host(empty))
    return document.survey(codec.write_device(Device(name="x", capabilities=described.capabilities))).facts


def test_hal_alone_knows_the_machine_its_firmware_board_and_chassis(tmp_path: Path) -> None:
    assert by_hal(NEW, tmp_path) == {
        "system.hardware.vendor": "Dell Inc.", "system.hardware.product": "Latitude",
        "system.hardware.version": "A01", "system.hardware.serial": "ABCDE4J",
        "system.hardware.uuid": "44454c4c-5300-1059-8057-c3c04f4e344a", "system.firmware.vendor": "Dell BIOS",
        "system.firmware.version": "A09", "system.firmware.date": "05/05/2010", "system.board.vendor": "Dell Board",
        "system.board.product": "0M374P", "system.board.serial": ".CN70166021G097.",
        "system.chassis.vendor": "Dell Chassis", "system.kernel": "2.6.33.5", "system.architecture": "x86_64",
    }  # fmt: skip


def test_a_hald_before_0_5_11_says_the_same_in_other_words(tmp_path: Path) -> None:
    new = {path: value for path, value in by_hal(NEW, tmp_path).items() if "board" not in path}
    assert by_hal(OLD, tmp_path) == new


def test_a_recorded_computer_is_known_by_its_kernel_at_least(tmp_path: Path) -> None:
    found = by_hal(hal_recording.load("lab-vm")["computer"], tmp_path)
    assert found == {"system.kernel": "6.18.44-fc-v445", "system.architecture": "x86_64"}


def test_the_machine_its_firmware_board_and_chassis_are_what_smbios_says(tree: Tree) -> None:
    tree.device("class/dmi", "devices/virtual/dmi/id", sys_vendor="QEMU", product_name="Standard PC",
                product_serial="S1", bios_vendor="SeaBIOS", bios_version="1.16.2", bios_date="04/01/2014",
                board_vendor="Intel", board_name="440FX", board_serial="B1", board_asset_tag="B-17",
                chassis_vendor="Fujitsu", chassis_version="Rev 2", chassis_serial="C99",
                chassis_asset_tag="RACK4-U12")  # fmt: skip
    assert {path: value for path, value in facts(tree, "computer").items() if path.startswith("system.")} == {
        "system.hardware.vendor": "QEMU", "system.hardware.product": "Standard PC", "system.hardware.serial": "S1",
        "system.firmware.vendor": "SeaBIOS", "system.firmware.version": "1.16.2", "system.firmware.date": "04/01/2014",
        "system.board.vendor": "Intel", "system.board.product": "440FX", "system.board.serial": "B1",
        "system.board.asset": "B-17", "system.chassis.vendor": "Fujitsu", "system.chassis.product": "Rev 2",
        "system.chassis.serial": "C99", "system.chassis.asset": "RACK4-U12", "system.virtualization": "qemu",
    }  # fmt: skip


def test_the_running_system_says_its_name_and_which_boot_it_is(
    tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = tmp_path / "os-release"
    release.write_text('NAME="Debian"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n')
    monkeypatch.setattr(computer, "OS_RELEASE", (release,))
    host = HostView(str(tree.sys))
    host.live = True
    (system,) = computer.describe(host.view("/sys/devices", "computer"), host).capabilities
    survey = document.survey(codec.write_device(Device(name="computer", capabilities=(system,))))
    running = os.uname()
    assert survey.facts["system.os"] == "Debian GNU/Linux 12 (bookworm)"
    assert (survey.facts["system.kernel"], survey.facts["system.architecture"]) == (running.release, running.machine)
    assert survey.state["system.boot"] == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
