"""A umockdev recording (text) as a folder with sys/ and run/udev/data, which serves as a host's sysfs.

Ours, so that a recording needs neither umockdev nor its preloaded library: we take a sysroot. It makes what describers
look at: attributes, links, uevent, the links below bus and class, udev's properties. No device node.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

#: Beginnings of properties that rules gave, which a uevent does not have.
RULES = ("ID_", "TAGS", "XKB", "DEVLINKS", "CURRENT_TAGS")
#: Subsystems whose devices hang below /sys/bus; all others are classes.
BUSES = {"usb", "pci", "serio", "platform", "hid", "acpi", "scsi", "mmc", "virtio"}


@dataclass
class Recorded:
    """One `P:` block."""

    path: str
    properties: dict[str, str] = field(default_factory=dict)
    attributes: dict[str, bytes] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)


def read(text: str) -> Iterator[Recorded]:
    """The devices of a recording, children before their parents, as umockdev writes them."""
    for block in text.strip().split("\n\n"):
        lines = [line.partition(": ")[::2] for line in block.splitlines()]
        device = Recorded(next(value for letter, value in lines if letter == "P"))
        for letter, value in lines:
            name, _, content = value.partition("=")
            if letter == "E":
                device.properties[name] = content
            elif letter == "A":
                device.attributes[name] = content.replace("\\n", "\n").replace("\\\\", "\\").encode()
            elif letter == "H":
                device.attributes[name] = bytes.fromhex(content)
            elif letter == "L":
                device.links[name] = content
        yield device


def build(recording: Path, root: Path) -> Path:
    """Makes the tree below `root`; the sysroot."""
    sys, data = root / "sys", root / "run/udev/data"
    data.mkdir(parents=True)
    for device in read(recording.read_text()):
        folder = sys / device.path.lstrip("/")
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in device.attributes.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        for name, target in device.links.items():
            (folder / name).symlink_to(target)
        _enlist(sys, folder, device.properties["SUBSYSTEM"])
        _properties(folder, data, device.properties)
    return sys


def _enlist(sys: Path, folder: Path, subsystem: str) -> None:
    home = sys / "bus" / subsystem / "devices" if subsystem in BUSES else sys / "class" / subsystem
    home.mkdir(parents=True, exist_ok=True)
    (home / folder.name).symlink_to(os.path.relpath(folder, home))
    (folder / "subsystem").symlink_to(os.path.relpath(home.parent if subsystem in BUSES else home, folder))


def _properties(folder: Path, data: Path, properties: dict[str, str]) -> None:
    by_rules = {key: value for key, value in properties.items() if key.startswith(RULES)}
    kernels = {key: value for key, value in properties.items() if key not in by_rules}
    (folder / "uevent").write_text("".join(f"{key}={value}\n" for key, value in kernels.items()))
    subsystem = properties["SUBSYSTEM"]
    node = f"{properties['MAJOR']}:{properties['MINOR']}" if "MAJOR" in properties else None
    key = f"+{subsystem}:{folder.name}" if node is None else ("b" if subsystem == "block" else "c") + node
    (data / key).write_text("".join(f"E:{name}={value}\n" for name, value in by_rules.items()))
