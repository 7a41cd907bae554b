"""A host that will be a Fibre Channel port is published as one, and without its port if that does not come in time."""

import shutil
from pathlib import Path

import pytest

from hwcensus_agent.arrivals import PORT_WAIT_S, Arrivals
from hwcensus_agent.enumerate import Enumerator
from hwcensus_agent.host import HostView
from tests.unit.sysfs_tree import Tree

HBA = "devices/pci0000:00/0000:00:03.0"
FCOE = "devices/virtual/net/fc0/ctlr_0/host6"
SCSI = "bus/scsi/devices"


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    made = Tree(tmp_path)
    made.device("bus/pci/devices", HBA, vendor="0x10df", device="0xf100", **{"class": "0x0c0400"})
    return made


def host(tree: Tree, path: str) -> str:
    tree.device(SCSI, path, uevent="DEVTYPE=scsi_host\n")
    return f"/sys/{path}"


def port(tree: Tree, path: str) -> str:
    name = path.rpartition("/")[2]
    tree.device("class/fc_host", f"{path}/fc_host/{name}", port_name="0x10000000c9831b9e")
    return f"/sys/{path}/fc_host/{name}"


@pytest.mark.parametrize("path", [f"{HBA}/host5", FCOE, f"{FCOE}/vport-6:0-0/host7"], ids=["PCI", "FCoE", "virtual"])
def test_a_new_host_that_will_be_a_port_comes_with_it(tree: Tree, path: str) -> None:
    enumerator = Enumerator(str(tree.sys))
    key = host(tree, path)
    assert enumerator.some([key], {}, {}).devices == ()
    assert enumerator.awaited() == [key]
    (found,) = [one for one in enumerator.some([port(tree, path)], {}, {}).devices if one.key == key]
    assert found.identity == "scsi/wwpn/10000000c9831b9e"
    assert enumerator.awaited() == []


def test_a_host_of_another_kind_is_not_waited_for(tree: Tree) -> None:
    (tree.sys / HBA / "class").write_text("0x010700\n")
    enumerator = Enumerator(str(tree.sys))
    key = host(tree, f"{HBA}/host5")
    assert [one.key for one in enumerator.some([key], {}, {}).devices] == [key]
    assert enumerator.awaited() == []


def test_one_that_is_known_already_is_looked_at_though_its_port_has_gone(tree: Tree) -> None:
    enumerator = Enumerator(str(tree.sys))
    key = host(tree, FCOE)
    looked = enumerator.some([key], {key: "scsi/wwpn/10000000c9831b9e"}, {key: "scsi_host6"})
    assert [one.identity for one in looked.devices] == ["scsi/wwpn/10000000c9831b9e"]


def test_a_port_that_does_not_come_is_waited_for_once_and_not_for_long(tree: Tree) -> None:
    now = [100.0]
    arrivals = Arrivals(lambda: now[0])
    key = host(tree, FCOE)

    def leaves_out() -> bool:
        return arrivals.leaves_out(key, HostView(str(tree.sys)).view(key, "scsi"))

    assert leaves_out()
    now[0] += PORT_WAIT_S / 2
    assert leaves_out()
    assert arrivals.awaited() == [key]
    now[0] += PORT_WAIT_S
    assert not leaves_out()
    assert arrivals.awaited() == []


def test_the_next_host_of_that_path_is_waited_for_again(tree: Tree) -> None:
    enumerator = Enumerator(str(tree.sys))
    key = host(tree, FCOE)
    enumerator.some([key], {}, {})
    shutil.rmtree(tree.sys / FCOE)
    enumerator.some([key], {}, {})
    assert enumerator.awaited() == []
    host(tree, FCOE)
    assert enumerator.some([key], {}, {}).devices == ()
