"""What stands below a device on its host, or is made of what does: shown before something is done to it.

Whether any of it is mounted or open, only the host knows: `check.py` asks it.
"""

from collections.abc import Iterable, Iterator

from hwcensus.cli.about import about, kinds
from hwcensus.client import Device

#: Lines shown of one device; more are counted.
_SHOWN = 25
#: States that say how a device is used.
_TELLING = ("block.filesystem", "block.label", "net.link", "net.master", "fc.port", "fc.vport")


def below(devices: Iterable[Device], name: str) -> list[tuple[int, Device]]:
    """The devices below, each with its depth, and after its parent; what has several is named once."""
    children: dict[str, list[Device]] = {}
    for device in devices:
        made_of = device.state.get("block.slave", ())
        for parent in {device.parent, *(made_of if isinstance(made_of, list) else ())}:
            children.setdefault(str(parent), []).append(device)
    seen = {name}

    def walk(parent: str, depth: int) -> Iterator[tuple[int, Device]]:
        for child in children.get(parent, ()):
            if child.name not in seen:
                seen.add(child.name)
                yield depth, child
                yield from walk(child.name, depth + 1)

    return list(walk(name, 0))


def lines(found: list[tuple[int, Device]]) -> Iterator[str]:
    """One line a device, as many as one reads."""
    for depth, device in found[:_SHOWN]:
        yield f"{'  ' * (depth + 1)}{words(device)}"
    if len(found) > _SHOWN:
        yield f"  … and {len(found) - _SHOWN} more"


def words(device: Device) -> str:
    """A device in one line: what it is, who drives it, what it is used for."""
    driver = f"({device.driver})" if device.driver else ""
    facts = {**device.state, **device.facts}
    used = " ".join(str(facts[path]) for path in _TELLING if path in facts)
    parts = (device.name, kinds(device.capabilities, device.bus), driver, about(device.facts), used)
    return "  ".join(filter(None, parts))
