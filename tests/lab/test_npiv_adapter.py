"""The adapter of a virtual Fibre Channel port: named in several ways, or chosen."""

import pytest

from tests.lab.console import Console
from tests.lab.lab import Lab
from tests.lab.vports import FABRIC, OTHER, PARENT, PARENT_WWPN, WWPN, identity, vport, wwnn

pytestmark = pytest.mark.usefixtures("ports_of_a_test_that_failed")
LIBVIRT = """\
<device>
  {parent}
  <capability type='scsi_host'>
    <capability type='fc_host'>
      <wwnn>{wwnn}</wwnn>
      <wwpn>{wwpn}</wwpn>
    </capability>
  </capability>
</device>
"""


def libvirt(parent: str, wwpn: str) -> str:
    return LIBVIRT.format(parent=parent, wwnn=wwnn(wwpn), wwpn=wwpn)


NAMED = [f"<parent>{PARENT}</parent>", f"<parent wwnn='100002fc00000000' wwpn='{PARENT_WWPN}'/>"]


@pytest.mark.parametrize("parent", NAMED, ids=["by name", "by its names"])
def test_libvirts_document_is_taken_and_names_its_parent(lab: Lab, console: Console, parent: str) -> None:
    console.orders("create", "lab", "-", given=libvirt(parent, WWPN))
    (port,) = lab.hears("add scsi_host3")
    assert port.device.identity == identity()
    assert port.device.parent == PARENT
    console.orders("destroy", "lab", "scsi_host3", "--yes")
    lab.hears("remove scsi_host3")


@pytest.mark.parametrize("parent", ["", f"<parent fabric_wwn='{FABRIC}'/>"], ids=["of all", "of a fabric"])
def test_who_names_no_adapter_gets_the_one_that_is_used_least(lab: Lab, console: Console, parent: str) -> None:
    for adapter in (PARENT, OTHER):
        lab.sees(adapter, fc__vports=0)
    console.settle(lab.listener)
    came = []
    # The first has one port, the second none; then it is one, and two.
    for number, (busy, idle) in enumerate([(PARENT, OTHER), (OTHER, PARENT)]):
        named, chosen = (f"2001001b32d0{number:02x}{which:02x}" for which in (0, 1))
        console.orders("create", "lab", "-", given=vport(named, busy))
        console.orders("create", "lab", "-", given=libvirt(parent, chosen))
        came += lab.hears(f"add scsi_host{3 + 2 * number}", f"add scsi_host{4 + 2 * number}")
        assert [one.device.parent for one in came[-2:]] == [busy, idle]
    for one in came:
        console.orders("destroy", "lab", one.device.identity, "--yes")
        lab.hears(f"remove {one.device.name}")


def test_a_fabric_in_which_no_adapter_is_has_none_to_choose(lab: Lab, console: Console) -> None:
    refused = console("vhba", "create", "lab", "--fabric", "1000c0ffee0000fb", "--wait")
    assert (refused.status, f"in fabric {FABRIC}, not in" in refused.err) == (4, True), refused
    lab.hears()
