"""Virtio devices: the smallest complete describer, and the one to read first. Its class: `hwcensus.classes.virtio`."""

from hwcensus.classes.virtio import VirtioBus
from hwcensus_agent.describe.description import Description
from hwcensus_agent.describe.facts import Facts, hexadecimal, worked_out
from hwcensus_agent.host import HostView
from hwcensus_agent.view import View

#: Device types (OASIS virtio 1.2, section 5).
TYPES = {1: "network", 2: "block", 3: "console", 4: "entropy", 5: "balloon", 8: "SCSI host", 9: "9P transport",
         16: "GPU", 18: "input", 19: "socket", 20: "crypto", 24: "memory", 25: "sound", 26: "file system",
         27: "persistent memory"}  # fmt: skip


@worked_out(sysfs="`device`, by name as in virtio 1.2")
def type_name(view: View, _: HostView) -> str | None:
    return TYPES.get(int(view.text("device") or "0", 16))


@worked_out(path="number in the kernel's name")
def number(view: View, _: HostView) -> int:
    return int(view.kernel_name.removeprefix("virtio"))


BUS = Facts(
    VirtioBus, vendor=hexadecimal("vendor"), product=hexadecimal("device"), product_name=type_name, number=number
)


def describe(view: View, host: HostView) -> Description:
    return Description(bus=BUS.of(view, host))
