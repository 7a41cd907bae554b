"""A device that goes while it is read."""

from pathlib import Path

import pytest

from hwcensus_agent.sysfs import Unreadable
from hwcensus_agent.view import View

from .sysfs_tree import Tree

BR0 = "devices/virtual/net/br0"


def test_an_interface_goes_from_its_first_attribute_without_a_value_until_its_folder_is_gone(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    folder = tree.device("class/net", BR0)
    tree.unreadable(f"{BR0}/ifindex")
    view = View(root=str(tree.sys), syspath=f"/sys/{BR0}", subsystem="net")
    with pytest.raises(Unreadable):
        view.text("ifindex")
    (folder / "ifindex").rmdir()
    assert view.is_going()


def test_an_interface_that_was_recorded_without_an_index_is_there(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    tree.device("class/net", BR0)
    assert not View(root=str(tree.sys), syspath=f"/sys/{BR0}", subsystem="net").is_going()
