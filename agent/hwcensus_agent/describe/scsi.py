"""SCSI logical units and their generic nodes. None is asked: sysfs has what its INQUIRY said."""

from hwcensus.classes.scsi import Scsi, ScsiBus, ScsiGeneric, ScsiState
from hwcensus_agent.describe.description import Description
from hwcensus_agent.describe.facts import Facts, From, first, hal, number_in_name, text, worked_out
from hwcensus_agent.host import HostView
from hwcensus_agent.view import View

#: Peripheral device types (SPC-4, table 138) by the names that libvirt and HAL have for the common ones.
TYPES = {0: "disk", 1: "tape", 2: "printer", 3: "processor", 4: "worm", 5: "cdrom", 6: "scanner", 7: "mod",
         8: "changer", 9: "comm", 12: "raid", 13: "enclosure", 14: "rbc", 17: "osd", 20: "zbc", 30: "wlun"}  # fmt: skip
#: HAL's word where it is another one.
OF_HAL = {"medium_changer": "changer"}


def part(number: int, key: str) -> From:
    """Of `<host>:<bus>:<target>:<lun>`."""
    return first(number_in_name(r"(\d+):(\d+):(\d+):(\d+)", number), hal(key))


@worked_out(sysfs="`type`, by name as in SPC-4", hal="`scsi.type`")
def device_type(view: View, _: HostView) -> str | None:
    code, said = view.text("type"), view.hal("scsi.type")
    if code is not None:
        return TYPES.get(int(code))
    word = OF_HAL.get(str(said), str(said))
    return word if word in TYPES.values() else None


BUS = Facts(
    ScsiBus,
    vendor=first(text("vendor"), hal("scsi.vendor")),
    model=first(text("model"), hal("scsi.model")),
    host=part(1, "scsi.host"),
    bus=part(2, "scsi.bus"),
    target=part(3, "scsi.target"),
    lun=part(4, "scsi.lun"),
)

SCSI = Facts(Scsi, device_type=device_type, revision=text("rev"))

STATE = Facts(ScsiState, Scsi, device=text("state"))


@worked_out(path="the kernel's name, before 2.6.31", sysfs="uevent `DEVNAME`", hal="`scsi_generic.device`")
def node(view: View, _: HostView) -> str:
    return view.devnode or str(view.hal("scsi_generic.device") or f"/dev/{view.kernel_name}")


GENERIC = Facts(ScsiGeneric, device=node)


def describe_unit(view: View, host: HostView) -> Description:
    unit = SCSI.of(view, host, state=STATE.of(view, host))
    return Description(bus=BUS.of(view, host), capabilities=() if unit is None else (unit,))


def describe_generic(view: View, host: HostView) -> Description:
    generic = GENERIC.of(view, host)
    return Description(capabilities=() if generic is None else (generic,))
