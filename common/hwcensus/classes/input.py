"""Keyboards, pointers and the like (kernel ABI sysfs-class-input; linux/input.h)."""

from dataclasses import dataclass
from typing import ClassVar

from hwcensus.device import Capability
from hwcensus.fact import HEX4, WORD, optional


@dataclass(frozen=True, kw_only=True)
class Input(Capability):
    """An input device, or an event node of one."""

    type_: ClassVar[str] = "input"

    name: str | None = optional("name")
    bus: str | None = optional("id@bus", HEX4)
    vendor: str | None = optional("id@vendor", HEX4)
    product: str | None = optional("id@product", HEX4)
    version: str | None = optional("id@version", HEX4)
    phys: str | None = optional("phys", handle=True, doc="what it is plugged into, as the driver calls that")
    uniq: str | None = optional("uniq")
    node: str | None = optional("node", WORD, handle=True)


@dataclass(frozen=True, kw_only=True)
class _Kind(Capability):
    """What an input device is good for: one capability a kind, without facts."""

    within = ("input",)


class Keyboard(_Kind):
    """Has the keys of a keyboard."""

    type_ = "keyboard"


class Mouse(_Kind):
    """Moves a pointer by relative axes."""

    type_ = "mouse"


class Touchpad(_Kind):
    """Moves a pointer by absolute axes."""

    type_ = "touchpad"


class Touchscreen(_Kind):
    """Is touched where the picture is."""

    type_ = "touchscreen"


class Tablet(_Kind):
    """Has a pen."""

    type_ = "tablet"


class Joystick(_Kind):
    """Game controllers."""

    type_ = "joystick"


class Switch(_Kind):
    """Lids, docks and jacks."""

    type_ = "switch"
