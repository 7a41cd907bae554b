"""Devices of one host under their parents, as a person draws the machine."""

import re
from dataclasses import dataclass

from hwcensus_collector.inventory.device import Device

#: What agents say may be anything; PCIe has 256 buses, and real trees have a dozen levels.
_DEEPEST = 100


@dataclass(frozen=True, kw_only=True)
class Branch:
    """A device and what hangs below it, in the order of names as people count."""

    device: Device
    children: tuple["Branch", ...]


def tree_of(devices: list[Device]) -> tuple[Branch, ...]:
    """The trees that the parents' names make; usually one, rooted at `computer`.

    A device whose parent is not among them is a root, one in a circle of parents or too deep too: none is left out.
    """
    by_name = {one.name: one for one in devices}
    below: dict[str, list[Device]] = {}
    roots = []
    for one in sorted(devices, key=lambda device: _natural(device.name)):
        if one.parent in by_name and not _unrooted(one, by_name):
            below.setdefault(str(one.parent), []).append(one)
        else:
            roots.append(one)
    return tuple(_branch(root, below) for root in roots)


def _branch(device: Device, below: dict[str, list[Device]]) -> Branch:
    # A name that is double for a moment has its children once, below the one that bears it first.
    children = below.pop(device.name, [])
    return Branch(device=device, children=tuple(_branch(child, below) for child in children))


def _unrooted(one: Device, by_name: dict[str, Device]) -> bool:
    """Whether its ancestors lead back to themselves, or are more than any machine has."""
    above = 0
    parent = by_name.get(one.parent or "")
    while parent is not None and above < _DEEPEST:
        above += 1
        parent = by_name.get(parent.parent or "")
    return above == _DEEPEST


def _natural(name: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)]
