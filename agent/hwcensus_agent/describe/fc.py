"""How the kernel's Fibre Channel transport shows ports, here and remote ones (scsi_transport_fc.c).

Only attributes that drivers answer from memory are read: the statistics ask the adapter's firmware.
"""

import re
from collections.abc import Callable

from hwcensus.fact import Value
from hwcensus_agent.describe.facts import From, stated
from hwcensus_agent.host import HostView
from hwcensus_agent.sysfs import Unreadable
from hwcensus_agent.view import View

#: The device whose attributes are meant: the described one, or one above it.
Of = Callable[[View], str | None]


def itself(view: View) -> str | None:
    return view.syspath


def above(prefix: str) -> Of:
    """The folder that the device is directly in, if its name begins so."""

    def found(view: View) -> str | None:
        folder = view.syspath.rpartition("/")[0]
        return folder if folder.rpartition("/")[2].startswith(prefix) else None

    return found


def physical(view: View) -> str | None:
    """The device itself, unless it is a virtual port, which has no vports whatever its driver shows."""
    return None if above("vport-")(view) else view.syspath


def adapter(view: View) -> str | None:
    """The host that a virtual port's host is made on."""
    vport = above("vport-")(view)
    return None if vport is None else vport.rpartition("/")[0]


def class_folder(view: View, device: str, subsystem: str) -> str:
    """Where the class keeps its attributes of a device, as seen from the view: in the device's own folder; with kernels
    before 2.6.25 in that of the class."""
    own = f"{subsystem}/{device.rpartition('/')[2]}"
    inside = "../" * (view.syspath.count("/") - device.count("/")) + own
    return inside if view.has(inside) else "../" * (view.syspath.count("/") - 1) + f"class/{own}"


def attribute(subsystem: str, name: str, of: Of = itself, *, words: str = "") -> From:
    """An attribute that a class has of a device; `words` say of which, where it is not the described one."""

    def read(view: View, _: HostView) -> str | None:
        device = of(view)
        return None if device is None else view.text(f"{class_folder(view, device, subsystem)}/{name}")

    return stated(read, sysfs=f"`{subsystem}/*/{name}`{words}")


def made(source: From, work: Callable[[str], Value | None]) -> From:
    """What is made of a text. A ValueError says that it is none of what it should be."""

    def read(view: View, host: HostView) -> Value | None:
        found = source.read(view, host)
        return work(found) if isinstance(found, str) else None

    return From(read, source.origins)


def wwn(text: str) -> str | None:
    """`0x2100001b32910a4c`; zero and all ones stand for none."""
    value = int(text, 16)
    return None if value in {0, 2**64 - 1} else f"{value:016x}"


def gigabits(text: str) -> str | None:
    """`16 Gbit`, or a list of such; of a link that is down `Unknown` and the like."""
    return " ".join(re.findall(r"(\d+) Gbit", text)) or None


def known(text: str) -> str:
    """What is told only while the link is up, and otherwise stays as it was."""
    if text.lower() == "unknown":
        raise Unreadable("the driver does not know it while the link is down")
    return text
