"""Fibre Channel: adapters, virtual ports and disks behind them, on a fabric. Port states come by the clock alone."""

from collections.abc import Iterator

import pytest

from tests.lab.hardware import INITIATOR
from tests.lab.lab import Lab

OTHER = "2001001b32a9da4e"
FABRIC = "1000c0ffee0000fa"
ADAPTER = "/sys/class/fc_host/host1"


def wwnn(wwpn: str) -> str:
    return f"2000{wwpn[4:]}"


@pytest.fixture
def port(lab: Lab) -> Iterator[str]:
    """A virtual port that sees no disk."""
    lab.guest(f"echo {OTHER}:{wwnn(OTHER)} >{ADAPTER}/vport_create")
    lab.hears("add scsi_host3")
    yield "scsi_host3"
    lab.guest(f"echo {OTHER}:{wwnn(OTHER)} >{ADAPTER}/vport_delete")
    lab.hears("remove scsi_host3")
    lab.sees("scsi_host1", fc__vports=0)


def test_an_adapter_is_told_with_its_wwpn_though_that_comes_last_and_comes_online(lab: Lab) -> None:
    lab.guest("fabric adapter 2")
    (adapter,) = lab.hears("add scsi_host3")
    assert adapter.device.identity == "scsi/wwpn/200002fc00000002"
    assert adapter.device.facts.items() >= {
        "scsihost.proc_name": "fcoe", "fc.wwpn": "200002fc00000002", "fc.wwnn": "100002fc00000002",
    }.items()  # fmt: skip
    lab.sees("scsi_host3", fc__port="Online", fc__fabric_wwn=FABRIC)
    lab.guest("echo fc2 >/sys/bus/fcoe/ctlr_destroy")
    lab.hears("remove scsi_host3")


def test_a_virtual_port_is_a_host_below_its_adapter_and_becomes_active(lab: Lab, port: str) -> None:
    assert lab.census[port].identity == f"scsi/wwpn/{OTHER}"
    assert lab.census[port].facts.items() >= {
        "parent": "scsi_host1", "fc.wwnn": wwnn(OTHER), "fc.vport.parent_wwpn": "200002fc00000000",
    }.items()  # fmt: skip
    lab.sees(port, fc__port="Online", fc__vport="Active")
    lab.sees("scsi_host1", fc__vports=1)


def test_a_cable_that_is_pulled_and_plugged_is_state_of_all_ports_on_it(lab: Lab, port: str) -> None:
    lab.sees(port, fc__vport="Active")
    lab.guest("ip link set fc0p down")
    lab.sees("scsi_host1", fc__port="Linkdown")
    lab.sees(port, fc__port="Linkdown", fc__vport="Linkdown")
    lab.guest("ip link set fc0p up")
    lab.sees("scsi_host1", fc__port="Online", fc__fabric_wwn=FABRIC)
    lab.sees(port, fc__port="Online", fc__vport="Active")


def test_a_disk_behind_a_virtual_port_comes_after_it_and_goes_before_it(lab: Lab) -> None:
    lab.guest(f"echo {INITIATOR}:{wwnn(INITIATOR)} >{ADAPTER}/vport_create")
    lab.hears(
        "add scsi_host3", "add scsi_target3_0_0", "add scsi_3_0_0_0",
        {"add scsi_generic_sg0", "add block_sda"},
    )  # fmt: skip
    target, disk = lab.census["scsi_target3_0_0"], lab.census["block_sda"]
    assert target.facts.items() >= {"parent": "scsi_host3", "fc_remote_port.wwpn": "200002fc00000001"}.items()
    assert disk.facts.items() >= {"parent": "scsi_3_0_0_0", "storage.serial": f"LAB{INITIATOR}"}.items()
    assert disk.identity.startswith("block/wwid/naa.6001405")  # OUI of Linux's target

    lab.guest(f"echo {INITIATOR}:{wwnn(INITIATOR)} >{ADAPTER}/vport_delete")
    lab.hears(
        {"remove scsi_generic_sg0", "remove block_sda"}, "remove scsi_3_0_0_0", "remove scsi_target3_0_0",
        "remove scsi_host3",
    )  # fmt: skip
