"""What is in the census, in one table: (subsystem, kind) → describer. Nothing else comes in but by `include`.

A new class is a module beside this one and a line below.
"""

from collections.abc import Collection, Mapping
from types import ModuleType
from typing import Any

from hwcensus_agent.describe import (
    block,
    ccw,
    computer,
    dimm,
    generic,
    input,
    link_kind,
    longtail,
    mmc,
    net,
    nvme,
    pci,
    printer,
    processor,
    scsi,
    scsi_target,
    scsihost,
    sound,
    storage,
    tty,
    usb,
    virtio,
)
from hwcensus_agent.describe.description import Describer, Description
from hwcensus_agent.describe.facts import Described, Facts
from hwcensus_agent.host import HostView
from hwcensus_agent.view import View

__all__ = ["DESCRIBERS", "Describer", "Description", "computer", "describe", "facts", "is_candidate", "tables"]

ANY = "*"

#: Subsystem and DEVTYPE as the uevent has it; `*` where the describer looks for itself.
DESCRIBERS: Mapping[tuple[str, str], Describer] = {
    ("processor", ANY): processor.describe,
    ("dimm", ANY): dimm.describe,
    ("pci", ANY): pci.describe,
    ("usb", "usb_device"): usb.describe_device,
    ("usb", "usb_interface"): usb.describe_interface,
    ("virtio", ANY): virtio.describe,
    ("net", ANY): net.describe,
    ("block", "disk"): block.describe_disk,
    ("block", "partition"): block.describe_partition,
    ("scsi", "scsi_host"): scsihost.describe,
    ("scsi", "scsi_target"): scsi_target.describe,
    ("scsi", "scsi_device"): scsi.describe_unit,
    ("scsi", ""): scsi.describe_unit,  # kernels before 2.6.26 have logical units only, and give no DEVTYPE
    ("scsi_generic", ANY): scsi.describe_generic,
    ("scsi_tape", ANY): storage.describe_tape,
    ("nvme", ANY): nvme.describe,
    ("input", ANY): input.describe,
    ("sound", ANY): sound.describe,
    ("tty", ANY): tty.describe,
    ("usbmisc", ANY): printer.describe,
    ("usb", ""): printer.describe,  # where older kernels have these nodes, without a kind
    ("mmc", ANY): mmc.describe,
    ("ccw", ANY): ccw.describe,
    **{(subsystem, ANY): describer for subsystem, describer in longtail.DESCRIBERS.items()},
}

_SUBSYSTEMS = frozenset(subsystem for subsystem, _ in DESCRIBERS)
_MODULES: tuple[ModuleType, ...] = (
    computer, processor, dimm, pci, usb, virtio, net, link_kind, block, storage, scsihost, scsi_target, scsi, nvme,
    input, sound, tty, printer, mmc, ccw, longtail, generic,
)  # fmt: skip


def is_candidate(subsystem: str, include: Collection[str]) -> bool:
    """Whether devices of this subsystem are worth opening."""
    return subsystem in _SUBSYSTEMS or any(pattern.partition(":")[0] == subsystem for pattern in include)


def describe(view: View, host: HostView, include: Collection[str] = ()) -> Description | None:
    """The device by the table, else, where `include` names its subsystem or kind, generically; else None. An interface
    that comes in so is described as any other.

    Raises Unreadable where what decides cannot be read.
    """
    describer = DESCRIBERS.get((view.subsystem, ANY)) or DESCRIBERS.get((view.subsystem, view.devtype or ""))
    found = None if describer is None else describer(view, host)
    if found is not None or not include:
        return found
    kind = link_kind.kind_of(view, host) if view.subsystem == "net" else view.devtype
    if view.subsystem not in include and f"{view.subsystem}:{kind}" not in include:
        return None
    return net.describe_any(view, host) if view.subsystem == "net" else generic.describe(view, host)


def tables() -> list[Facts[Any]]:
    """Every table of facts of the describers."""
    found = [value for module in _MODULES for value in vars(module).values()]
    for value in list(found):
        if isinstance(value, dict):
            found += value.values()
    return list(dict.fromkeys(one for one in found if isinstance(one, Facts)))


def facts() -> list[Described]:
    """Every fact that is described, and where it comes from."""
    return [fact for table in tables() for fact in table]
