"""What no event tells is found by looking: a value that appears, changes or goes, and nothing else."""

import asyncio
import os
from pathlib import Path

import pytest

from hwcensus_agent.sources import Action, Hint
from hwcensus_agent.sources.unannounced import Unannounced
from tests.unit.sysfs_tree import Tree

HOST = "devices/pci0000:00/0000:00:03.0/host6"


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


def never(hint: Hint) -> None:
    raise AssertionError(hint)


@pytest.mark.parametrize(
    "home, path, attribute, values",
    [
        ("block", "devices/virtual/block/zram0", "size", ("0", "16384")),
        ("class/fc_host", f"{HOST}/fc_host/host6", "port_state", ("Online", "Linkdown")),
        ("class/fc_host", f"{HOST}/fc_host/host6", "speed", ("8 Gbit", "16 Gbit")),
        ("class/fc_host", f"{HOST}/fc_host/host6", "fabric_name", ("0x0", "0x2001000dec123456")),
        ("class/fc_vports", f"{HOST}/vport-6:0-0/fc_vports/vport-6:0-0", "vport_state", ("Initializing", "Active")),
        ("class/fc_remote_ports", f"{HOST}/rport-6:0-1/fc_remote_ports/rport-6:0-1", "port_state",
         ("Online", "Blocked")),
        ("class/nvme", "devices/pci0000:00/0000:00:04.0/nvme/nvme0", "state", ("live", "resetting")),
    ],
)  # fmt: skip
def test_a_value_that_appears_changes_or_goes_is_noticed_and_the_same_one_is_not(
    tree: Tree, home: str, path: str, attribute: str, values: tuple[str, str]
) -> None:
    folder = tree.device(home, path, other="1")
    unannounced = Unannounced(str(tree.sys), never)
    before, after = values
    (folder / attribute).write_text(before)
    assert unannounced.changed() == {f"/sys/{path}"}
    assert unannounced.changed() == set()
    (folder / attribute).write_text(after)
    assert unannounced.changed() == {f"/sys/{path}"}
    (folder / "other").write_text("2")
    assert unannounced.changed() == set()
    (folder / attribute).unlink()
    assert unannounced.changed() == {f"/sys/{path}"}


def test_a_device_that_an_old_kernel_keeps_in_the_folder_of_its_class_is_watched_there(tree: Tree) -> None:
    folder = tree.sys / "class/fc_host/host6"
    folder.mkdir(parents=True)
    unannounced = Unannounced(str(tree.sys), never)
    (folder / "port_state").write_text("Online\n")
    assert unannounced.changed() == {"/sys/class/fc_host/host6"}


async def test_a_check_hints_at_what_changed(tree: Tree) -> None:
    folder = tree.device("block", "devices/virtual/block/zram0", size="0")
    hints: asyncio.Queue[Hint] = asyncio.Queue()
    unannounced = Unannounced(str(tree.sys), hints.put_nowait)
    (folder / "size").write_text("16384\n")
    unannounced.check()
    hint = await asyncio.wait_for(hints.get(), 10)
    assert hint == Hint(source="clock", action=Action.CHANGE, syspath="/sys/devices/virtual/block/zram0")


async def test_a_read_that_hangs_costs_the_next_checks_and_nothing_else(tree: Tree) -> None:
    folder = tree.device("class/fc_host", f"{HOST}/fc_host/host6", port_state="Online")
    hints: asyncio.Queue[Hint] = asyncio.Queue()
    unannounced = Unannounced(str(tree.sys), hints.put_nowait)
    (folder / "port_state").unlink()
    os.mkfifo(folder / "port_state")  # opening one waits for somebody to write
    for _ in range(3):
        unannounced.check()
    assert hints.empty()
    (folder / "port_state").write_text("Linkdown\n")
    assert (await asyncio.wait_for(hints.get(), 10)).syspath == f"/sys/{HOST}/fc_host/host6"


async def test_one_that_hangs_at_the_start_keeps_nobody_from_starting(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hwcensus_agent.sources.unannounced.FIRST_S", 0.1)
    folder = tree.device("class/fc_host", f"{HOST}/fc_host/host6")
    os.mkfifo(folder / "port_state")
    hints: asyncio.Queue[Hint] = asyncio.Queue()
    unannounced = Unannounced(str(tree.sys), hints.put_nowait)
    unannounced.check()
    (folder / "port_state").write_text("Online\n")
    unannounced._thread.join(10)
    (folder / "port_state").unlink()
    (folder / "port_state").write_text("Linkdown\n")
    unannounced.check()
    assert (await asyncio.wait_for(hints.get(), 10)).syspath == f"/sys/{HOST}/fc_host/host6"
