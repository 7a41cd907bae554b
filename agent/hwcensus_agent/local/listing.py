"""Lists of devices: a table that fits the terminal, a tree, names, or JSON."""

import argparse
import difflib
import json
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from hwcensus import document
from hwcensus.classes import ALIASES, BUSES, CAPABILITIES, capability_type
from hwcensus.classes.block import Block
from hwcensus.classes.dimm import Dimm
from hwcensus.classes.input import Input
from hwcensus.classes.net import Net
from hwcensus.classes.nvme import Nvme
from hwcensus.classes.pci import PciBus
from hwcensus.classes.processor import Processor
from hwcensus.classes.scsi import ScsiBus
from hwcensus.classes.scsi_target import FcRemotePort
from hwcensus.classes.scsihost import Fc, ScsiHost
from hwcensus.classes.storage import Storage
from hwcensus.classes.system import System
from hwcensus.classes.usb import UsbBus
from hwcensus.classes.virtio import VirtioBus
from hwcensus.device import Device, Part
from hwcensus.errors import UsageError
from hwcensus_agent.enumerate import Described
from hwcensus_agent.local.visible import visible

Devices = Sequence[Described]

HEADINGS = ("NAME", "BUS", "CAPABILITIES", "DRIVER", "WHAT")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--cap", metavar="TYPE", help="only devices with this capability (HAL's and libvirt's names do)"
    )
    parser.add_argument("--bus", metavar="TYPE", help="only devices on this bus")
    parser.add_argument("--tree", action="store_true", help="children below their parents")
    parser.add_argument("-o", "--output", choices=("table", "json", "names"), default="table", help="default: table")


def render(devices: Devices, arguments: argparse.Namespace) -> str:
    """The list as its flags want it. Raises UsageError for a type that there is not."""
    chosen = choose(devices, arguments.cap, arguments.bus)
    if arguments.output == "json":
        return json.dumps([as_object(one) for one in chosen], indent=2)
    if arguments.output == "names":
        return "\n".join(one.name for one in chosen)
    return tree(chosen) if arguments.tree else table(chosen)


def choose(devices: Devices, cap: str | None, bus: str | None) -> list[Described]:
    """Those with this capability, nested ones too, and on this bus."""
    if cap is not None:
        _check(capability_type(cap), "capability", [*CAPABILITIES, *ALIASES, "vports"])
        devices = [one for one in devices if capability_type(cap) in capabilities(one)]
    if bus is not None:
        _check(bus, "bus", BUSES)
        devices = [one for one in devices if one.device.bus is not None and one.device.bus.type_ == bus]
    return list(devices)


def _check(wanted: str, what: str, known: Iterable[str]) -> None:
    names = list(known)
    if wanted in names:
        return
    near = difflib.get_close_matches(wanted, names, n=3, cutoff=0.5)
    hint = f"; near it: {', '.join(near)}" if near else ""
    raise UsageError(f"there is no {what} {wanted!r}{hint}", code=f"unknown-{what}", nearest=" ".join(near))


def capabilities(one: Described) -> list[str]:
    return document.survey(one.element).capabilities


def as_object(one: Described) -> dict[str, object]:
    """What `list -o json` prints of a device."""
    return {
        "name": one.name,
        "key": one.key,
        "parent": one.device.parent,
        "identity": one.identity,
        "bus": None if one.device.bus is None else one.device.bus.type_,
        "capabilities": capabilities(one),
    }


def table(devices: Devices) -> str:
    """Columns as wide as they must be; on a terminal the last one as wide as there is room."""
    rows = [HEADINGS, *(_row(one) for one in devices)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    lines = ("  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)
    return "\n".join(_fitting(lines))


def tree(devices: Devices) -> str:
    """Every device below its parent, or at the left where that is not in the list."""
    shown = {one.name for one in devices}
    below: dict[str | None, list[Described]] = {}
    for one in devices:
        below.setdefault(one.device.parent if one.device.parent in shown else None, []).append(one)
    return "\n".join(_fitting(_branches(below, None, "")))


def _branches(below: dict[str | None, list[Described]], parent: str | None, indent: str) -> Iterator[str]:
    here = below.get(parent, [])
    for number, one in enumerate(here, 1):
        what = _what(one.device)
        top, last = parent is None, number == len(here)
        stem = "" if top else "└─ " if last else "├─ "
        yield f"{indent}{stem}{one.name}" + (f"  {what}" if what else "")
        yield from _branches(below, one.name, indent + ("" if top else "   " if last else "│  "))


def _row(one: Described) -> tuple[str, ...]:
    bus = one.device.bus
    return (
        one.name,
        "-" if bus is None else bus.type_,
        " ".join(capabilities(one)) or "-",
        visible(one.device.driver or "-"),
        _what(one.device),
    )


#: What of a part tells a person which device it is.
_WORDS: Mapping[type[Part], Callable[[Any], Sequence[str | None]]] = {
    PciBus: lambda bus: (bus.vendor_name, bus.product_name or f"{bus.vendor:04x}:{bus.product:04x}"),
    UsbBus: lambda bus: (bus.vendor_name, bus.product_name or f"{bus.vendor:04x}:{bus.product:04x}"),
    VirtioBus: lambda bus: (bus.product_name,),
    ScsiBus: lambda bus: (bus.vendor, bus.model),
    Net: lambda net: (net.address,),
    ScsiHost: lambda host: (host.proc_name,),
    Fc: lambda port: (port.wwpn,),
    FcRemotePort: lambda port: (port.wwpn,),
    Nvme: lambda controller: (controller.model,),
    Storage: lambda drive: (drive.vendor, drive.model, _size(drive.size)),
    Block: lambda block: (_size(block.size),),
    Processor: lambda processor: (processor.model,),
    Dimm: lambda dimm: (dimm.locator, dimm.manufacturer, None if dimm.size is None else f"{dimm.size >> 20} MiB"),
    Input: lambda input_: (input_.name,),
    System: lambda system: (system.vendor, system.product, system.os),
}


def _what(device: Device) -> str:
    """A few words that tell a person which one it is. A drive's size is said once."""
    parts = [part for part in device.parts() if type(part) is not Block or device.capability("storage") is None]
    words = (word for part in parts if type(part) in _WORDS for word in _WORDS[type(part)](part))
    return visible(" ".join(word for word in words if word))


def _size(size: int | None) -> str | None:
    if size is None:
        return None
    value = float(size)
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if value >= 10 or unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} PB"


def _fitting(lines: Iterable[str]) -> Iterator[str]:
    """Lines cut to the terminal's width; whole where the output is no terminal."""
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 0
    for line in lines:
        yield f"{line[: width - 1]}…" if 0 < width < len(line) else line
