"""Input devices and their event nodes (kernel ABI sysfs-class-input).

What kind of device it is follows udev's rules where they ran, else the bitmaps of events that the kernel shows, by the
same reasoning (linux/input-event-codes.h).
"""

import struct

from hwcensus.classes.input import Input, Joystick, Keyboard, Mouse, Switch, Tablet, Touchpad, Touchscreen
from hwcensus.device import Capability
from hwcensus_agent.describe.description import Description
from hwcensus_agent.describe.facts import Facts, first, text, worked_out
from hwcensus_agent.host import HostView
from hwcensus_agent.view import View

#: In the order of the document; the property by which udev says so.
KINDS: tuple[tuple[str, type[Capability]], ...] = (
    ("ID_INPUT_KEYBOARD", Keyboard),
    ("ID_INPUT_MOUSE", Mouse),
    ("ID_INPUT_TOUCHPAD", Touchpad),
    ("ID_INPUT_TOUCHSCREEN", Touchscreen),
    ("ID_INPUT_TABLET", Tablet),
    ("ID_INPUT_JOYSTICK", Joystick),
    ("ID_INPUT_SWITCH", Switch),
)

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
        said = {key for key, _ in KINDS if view.udev(key) == "1"}
    else:
        said = _kinds_by_bitmaps(view)
    return tuple(kind() for key, kind in KINDS if key in said)


def _kinds_by_bitmaps(view: View) -> set[str]:
    keys, absolute = bits(view, "capabilities/key"), bits(view, "capabilities/abs")
    direct = bits(view, "properties") >> INPUT_PROP_DIRECT & 1
    found = set()
    if keys & KEYS_1_TO_31 == KEYS_1_TO_31:
        found.add("ID_INPUT_KEYBOARD")
    if bits(view, "capabilities/ev") >> EV_SW & 1:
        found.add("ID_INPUT_SWITCH")
    if absolute & ABS_XY == ABS_XY:
        found |= _absolute(keys, direct)
    elif bits(view, "capabilities/rel") & REL_XY == REL_XY and keys >> BTN_MOUSE & 1:
        found.add("ID_INPUT_MOUSE")
    return found


def _absolute(keys: int, direct: int) -> set[str]:
    """What moves in a plane: by pen, finger, on the picture, or by stick."""
    if keys >> BTN_STYLUS & 1 or keys >> BTN_TOOL_PEN & 1:
        return {"ID_INPUT_TABLET"}
    if keys >> BTN_TOOL_FINGER & 1 and not direct:
        return {"ID_INPUT_TOUCHPAD"}
    if keys >> BTN_MOUSE & 1:
        return {"ID_INPUT_MOUSE"}  # the pointer of a virtual machine
    if keys >> BTN_TOUCH & 1 or direct:
        return {"ID_INPUT_TOUCHSCREEN"}
    return {"ID_INPUT_JOYSTICK"} if keys >> BTN_JOYSTICK & 1 or keys >> BTN_GAMEPAD & 1 else set()


@worked_out(sysfs="the node of its `event*` folder, or its own")
def node(view: View, _: HostView) -> str | None:
    if view.devnode is not None:
        return view.devnode
    events = view.children("event")
    return f"/dev/input/{events[0]}" if events else None


INPUT = Facts(
    Input,
    name=first(text("name"), text("device/name")),
    bus=text("id/bustype"),
    vendor=text("id/vendor"),
    product=text("id/product"),
    version=text("id/version"),
    phys=text("phys"),
    uniq=text("uniq"),
    node=node,
)


def describe(view: View, host: HostView) -> Description | None:
    name = view.kernel_name
    if not name.startswith(("input", "event")):
        return None  # mouse0, mice, js0: older nodes of the same
    found = INPUT.of(view, host, nested=kinds(view) if name.startswith("input") else ())
    return Description(capabilities=() if found is None else (found,))
