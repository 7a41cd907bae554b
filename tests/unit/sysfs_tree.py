"""A small sysfs made for a test: folders, attributes, links below bus and class; and what is found in it."""

import os
from pathlib import Path

from hwcensus import document
from hwcensus.document import JsonValue
from hwcensus_agent.enumerate import Described, enumerate_host


class Tree:
    """`tree.device("class/net", "devices/virtual/net/br0", address="…")`; the sysroot is `tree.sys`."""

    def __init__(self, root: Path) -> None:
        self.sys = root / "sys"
        self.data = root / "run/udev/data"
        (self.sys / "bus").mkdir(parents=True)
        (self.sys / "class").mkdir()

    def device(self, home: str, path: str, *, uevent: str = "", **attributes: str) -> Path:
        """A device with attributes (`__` stands for `/`); `home` is `bus/pci/devices` or `class/net`."""
        folder = self.sys / path
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "uevent").write_text(uevent)
        for name, value in attributes.items():
            attribute = folder / name.replace("__", "/")
            attribute.parent.mkdir(parents=True, exist_ok=True)
            attribute.write_text(f"{value}\n")
        self.link(home + "/" + folder.name, path)
        self.link(f"{path}/subsystem", home.removesuffix("/devices"))
        return folder

    def link(self, at: str, target: str) -> None:
        """A relative link, as the kernel makes them."""
        link, goal = self.sys / at, self.sys / target
        link.parent.mkdir(parents=True, exist_ok=True)
        goal.mkdir(parents=True, exist_ok=True)
        if not link.is_symlink():
            link.symlink_to(os.path.relpath(goal, link.parent))

    def unreadable(self, path: str) -> None:
        """Makes an attribute that cannot be read, not even by root: reading a folder is an error."""
        attribute = self.sys / path
        attribute.unlink(missing_ok=True)
        attribute.mkdir(parents=True)

    def udev(self, key: str, **properties: str) -> None:
        """What udev's rules found."""
        self.data.mkdir(parents=True, exist_ok=True)
        (self.data / key).write_text("I:1\n" + "".join(f"E:{name}={value}\n" for name, value in properties.items()))


def look(tree: Tree, *include: str) -> dict[str, Described]:
    """Every device, by name."""
    return {one.name: one for one in enumerate_host(sysroot=str(tree.sys), include=include).devices}


def facts(tree: Tree, name: str) -> dict[str, JsonValue]:
    """All that the document of a device says, by path."""
    survey = document.survey(look(tree)[name].element)
    return {**survey.frame, **survey.facts, **survey.state}
