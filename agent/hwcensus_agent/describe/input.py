"""Input devices and their event nodes (kernel ABI sysfs-class-input).

What kind of device it is follows udev's rules where they ran, else the bitmaps of events that the kernel shows, by the
same reasoning (linux/input-event-codes.h).
"""

import struct

from hwcensus.classes.input import Input, Joystick, Keyboard, Mouse, Switch, Tablet, Touchpad, Touchscreen
from hwcensus.device import Capability
from hwcensus_agent.describe.description import Description
from hwcensus_agent.describe.facts import Facts, first, hal, text, worked_out
from hwcensus_agent.host import HostView
from hwcensus_agent.view import View

#: In the order of the document; udev's property is this with ID_INPUT_ before it, HAL's capability with `input.`.
KINDS: tuple[type[Capability], ...] = (Keyboard, Mouse, Touchpad, Touchscreen, Tablet, Joystick, Switch)

# linux/input-event-codes.h
EV_SW = 5
REL_XY = ABS_XY = 0b11
KEYS_1_TO_31 = 0xFFFFFFFE
BTN_MOUSE, BTN_JOYSTICK, BTN_GAMEPAD = 0x110, 0x120, 0x130
BTN_TOOL_PEN, BTN_TOOL_FINGER, BTN_TOUCH, BTN_STYLUS = 0x140, 0x145, 0x14A, 0x14B
INPUT_PROP_DIRECT = 1

WORD = struct.calcsize("P") * 8


def bits(view: View, name: str) -> int:
    """A bitmap: words in hexadecimal, the highest first, each as wide as a pointer of ours."""
    words = (view.text(name) or "0").split()
    value = 0
    for word in words:
        value = value << WORD | int(word, 16)
    return value


def kinds(view: View) -> tuple[Capability, ...]:
    if view.udev("ID_INPUT") is not None:
        said = {kind.type_ for kind in KINDS if view.udev(f"ID_INPUT_{kind.type_.upper()}") == "1"}
    else:
        said = _kinds_by_bitmaps(view)
    return tuple(kind() for kind in KINDS if kind.type_ in said)


def kinds_by_hal(view: View) -> tuple[Capability, ...]:
    said = view.hal("info.capabilities")
    return tuple(kind() for kind in KINDS if isinstance(said, tuple) and f"input.{kind.type_}" in said)


def _kinds_by_bitmaps(view: View) -> set[str]:
    keys, absolute = bits(view, "capabilities/key"), bits(view, "capabilities/abs")
    direct = bits(view, "properties") >> INPUT_PROP_DIRECT & 1
    found = set()
    if keys & KEYS_1_TO_31 == KEYS_1_TO_31:
        found.add("keyboard")
    if bits(view, "capabilities/ev") >> EV_SW & 1:
        found.add("switch")
    if absolute & ABS_XY == ABS_XY:
        found |= _absolute(keys, direct)
    elif bits(view, "capabilities/rel") & REL_XY == REL_XY and keys >> BTN_MOUSE & 1:
        found.add("mouse")
    return found


def _absolute(keys: int, direct: int) -> set[str]:
    """What moves in a plane: by pen, finger, on the picture, or by stick."""
    if keys >> BTN_STYLUS & 1 or keys >> BTN_TOOL_PEN & 1:
        return {"tablet"}
    if keys >> BTN_TOOL_FINGER & 1 and not direct:
        return {"touchpad"}
    if keys >> BTN_MOUSE & 1:
        return {"mouse"}  # the pointer of a virtual machine
    if keys >> BTN_TOUCH & 1 or direct:
        return {"touchscreen"}
    return {"joystick"} if keys >> BTN_JOYSTICK & 1 or keys >> BTN_GAMEPAD & 1 else set()


@worked_out(sysfs="the node of its `event*` folder, or its own")
def node(view: View, _: HostView) -> str | None:
    if view.devnode is not None:
        return view.devnode
    events = view.children("event")
    return f"/dev/input/{events[0]}" if events else None


INPUT = Facts(
    Input,
    name=first(text("name"), text("device/name"), hal("input.product")),
    bus=text("id/bustype"),
    vendor=text("id/vendor"),
    product=text("id/product"),
    version=text("id/version"),
    phys=text("phys"),
    uniq=text("uniq"),
    node=first(node, hal("input.device")),
)


def describe(view: View, host: HostView) -> Description | None:
    name = view.kernel_name
    if not name.startswith(("input", "event")):
        return None  # mouse0, mice, js0: older nodes of the same
    found = INPUT.of(view, host, nested=kinds(view) if name.startswith("input") else _kinds_of_node(view))
    return Description(capabilities=() if found is None else (found,))


def _kinds_of_node(view: View) -> tuple[Capability, ...]:
    """A node leaves them to what it is a node of; of which HAL does not know."""
    return () if view.has("device") else kinds_by_hal(view)
