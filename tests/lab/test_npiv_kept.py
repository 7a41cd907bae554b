"""Virtual Fibre Channel ports that are wanted for ever, and what is done to them on the host behind our back."""

import pytest

from tests.lab.console import Console
from tests.lab.lab import Lab
from tests.lab.vports import PARENT, PARENT_WWPN, WWPN, identity, in_kernel, wwnn

pytestmark = pytest.mark.usefixtures("ports_of_a_test_that_failed")
UNWANTED = "2001001b32a9da50"


def by_hand(lab: Lab, attribute: str, wwpn: str) -> None:
    lab.guest(f"echo {wwpn}:{wwnn(wwpn)} >/sys/class/fc_host/host1/{attribute}")


def listed(lab: Lab, console: Console) -> dict[str, tuple[object, ...]]:
    """WWPN → name, whether it is kept, and state, as the operator sees it."""
    lab.end()
    console.settle(lab.listener)
    return {one["wwpn"]: (one["name"], one["persistent"], one["vport"]) for one in console.tells("vhba", "list", "lab")}


def test_drift_of_a_wanted_port_is_shown_and_ends_with_its_adapter_or_with_a_destroy(
    lab: Lab, console: Console
) -> None:
    words = ("vhba", "create", "lab", "--parent", PARENT_WWPN, "--wwpn", WWPN, "--wwnn", wwnn(WWPN), "--persistent")
    created = console.orders(*words, "--require", "online")
    lab.hears("add scsi_host3")
    by_hand(lab, "vport_create", UNWANTED)
    lab.hears("add scsi_host4")
    lab.sees("scsi_host3", fc__vport="Active")
    lab.sees("scsi_host4", fc__vport="Active")
    lab.sees(PARENT, fc__vports=2, fc__wanted=[WWPN])
    assert listed(lab, console) == {
        WWPN: ("scsi_host3", True, "Active"), UNWANTED: ("scsi_host4", False, "Active"),
    }  # fmt: skip

    by_hand(lab, "vport_delete", WWPN)
    by_hand(lab, "vport_delete", UNWANTED)
    gone = lab.hears("remove scsi_host3", "remove scsi_host4")
    assert [one.command for one in gone] == [None, None]
    lab.sees(PARENT, fc__vports=0)
    assert listed(lab, console) == {WWPN: (None, True, "absent")}
    assert in_kernel(lab) == {}  # nobody fights with who did that

    lab.guest("ip link set fc0p down")
    lab.sees(PARENT, fc__port="Linkdown")
    lab.guest("ip link set fc0p up")
    (again,) = lab.hears("add scsi_host3")
    assert (again.device.identity, again.command) == (identity(), created["id"])

    by_hand(lab, "vport_delete", WWPN)
    lab.hears("remove scsi_host3")
    lab.sees(PARENT, fc__vports=0)
    assert listed(lab, console) == {WWPN: (None, True, "absent")}
    asked = console("vhba", "destroy", "lab", WWPN, "--check")
    assert (asked.status, listed(lab, console)) == (0, {WWPN: (None, True, "absent")}), asked
    console.orders("vhba", "destroy", "lab", WWPN, "--yes")
    lab.sees(PARENT, fc__wanted=None)
    assert listed(lab, console) == {}
