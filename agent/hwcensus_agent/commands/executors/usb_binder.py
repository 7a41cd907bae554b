"""USB devices, taken from the host's drivers for a guest and given back (kernel ABI sysfs-bus-usb).

Drivers have interfaces, not devices: each is let go of by itself. Nothing keeps them free: who loads a driver for such
an interface, or plugs the device anew, has it driven again.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from hwcensus.command import Command
from hwcensus.errors import Refused, UsageError
from hwcensus_agent import modules, sysfs
from hwcensus_agent.commands.census_port import BOUND, Effect, Expectation, Target
from hwcensus_agent.commands.executors.binder import Moved
from hwcensus_agent.commands.executors.drivers import SYS, Bus, read
from hwcensus_agent.commands.executors.executor import DeviceChanged, KernelRefused
from hwcensus_agent.commands.executors.guest_drivers import USBFS
from hwcensus_agent.commands.policy import DETACH
from hwcensus_agent.holders import holders

#: Of a device: hubs, root hubs too (USB 2.0, 11.23.1).
_HUB_CLASS = "09"
#: What tells a device from the next one in its port; the number is dealt at every plug.
_OWN = ("idVendor", "idProduct", "devnum")


@dataclass(frozen=True, kw_only=True)
class _Held:
    """Who has each interface, and which device it is."""

    drivers: Mapping[str, str | None]
    device: str

    def by_the_host(self) -> list[str]:
        return [name for name, driver in self.drivers.items() if driver not in (None, USBFS)]

    def away(self) -> list[str]:
        return [name for name, driver in self.drivers.items() if driver in (None, USBFS)]


class UsbBinder:
    """Takes devices from their drivers, and offers them again."""

    binds = "usb"

    def __init__(self, sysroot: str = SYS) -> None:
        self._bus = Bus(name="usb", root=os.path.realpath(sysroot))

    def check(self, command: Command, target: Target) -> str:
        folder = self._bus.folder(target)
        _require_device(folder, target)
        if command.driver is not None:
            raise UsageError(f"{target.name} is a USB device, and those are given to no driver", code="bad-driver")
        held = self._held(folder)
        if command.type == DETACH and not held.by_the_host():
            raise Refused(f"{target.name} is detached already: no driver has any of its interfaces",
                          code="already-detached")  # fmt: skip
        if command.type != DETACH and not held.away():
            raise Refused(f"{target.name} is not detached: {_said(held.drivers)}", code="not-detached")
        return json.dumps(asdict(held))

    def in_use(self, command: Command, target: Target) -> tuple[str, ...]:
        return holders(self._bus.root, target.syspath)

    def expected(self, command: Command, target: Target, mark: str) -> tuple[Expectation, ...]:
        held = _Held(**json.loads(mark))
        if command.type == DETACH:
            return tuple(_with(name, None) for name in held.by_the_host())
        return tuple(_with(name, BOUND) for name in held.away())

    def bind(self, command: Command, target: Target) -> Moved:
        folder = self._bus.folder(target)
        before = self._held(folder)
        if command.type == DETACH:
            for name in before.by_the_host():
                self._bus.release(f"{folder}/{name}")
            return self._detached(target, before)
        for name in before.away():
            self._offer(f"{folder}/{name}")
        return self._reattached(target, before)

    def was_bound(self, command: Command, target: Target, mark: str) -> Moved | None:
        held, before = self._same(target, mark), _Held(**json.loads(mark))
        if held is None:
            return None
        if command.type == DETACH:
            return None if held.by_the_host() else self._detached(target, before)
        # One without a driver was not offered yet, or nobody wants it: which, cannot be told.
        return None if held.away() else self._reattached(target, before)

    def undo(self, command: Command, target: Target, mark: str) -> None:
        held, before = self._same(target, mark), _Held(**json.loads(mark))
        if held is None:
            return
        folder = self._bus.folder(target)
        for name in _both(before.away(), held.by_the_host()):
            self._bus.release(f"{folder}/{name}")
        for name in _both(before.by_the_host(), held.away()):
            self._bus.offer(f"{folder}/{name}")
        lost = _both(before.by_the_host(), self._held(folder).away())
        if lost:
            raise KernelRefused(f"{', '.join(lost)} got no driver again; the kernel's log may say why")

    def _detached(self, target: Target, before: _Held) -> Moved:
        names, now = before.by_the_host(), self._held(self._bus.folder(target))
        kept = _both(names, now.by_the_host())
        if kept:
            raise KernelRefused(f"{target.name} did not stay without drivers: {_said(now.drivers)}")
        return Moved(expected=tuple(_with(name, now.drivers[name]) for name in names if name in now.drivers))

    def _reattached(self, target: Target, before: _Held) -> Moved:
        names, now = before.away(), self._held(self._bus.folder(target))
        unwanted = _both(names, now.away())
        text = f"no driver of this host takes {', '.join(unwanted)}" if unwanted else None
        return Moved(expected=tuple(_with(name, now.drivers[name]) for name in names if name in now.drivers), text=text)

    def _offer(self, folder: str) -> None:
        self._bus.release(folder)  # from a guest, by force
        modules.load_for(read(folder, "modalias") or "")
        self._bus.offer(folder)

    def _held(self, folder: str) -> _Held:
        names = sysfs.children(folder, f"{folder.rpartition('/')[2]}:")
        return _Held(
            drivers={name: self._bus.driver_of(f"{folder}/{name}") for name in names},
            device=":".join(read(folder, attribute) or "" for attribute in _OWN),
        )

    def _same(self, target: Target, mark: str) -> _Held | None:
        """The device that the mark was made of; None where it is gone, or another is in its port."""
        try:
            held = self._held(self._bus.folder(target))
        except DeviceChanged:
            return None
        return held if held.device == json.loads(mark)["device"] else None


def _require_device(folder: str, target: Target) -> None:
    class_ = read(folder, "bDeviceClass")
    if class_ is None:
        text = f"{target.name} is no USB device: its interfaces are detached together, by the name of their device"
        raise Refused(text, code="not-detachable")
    if class_ == _HUB_CLASS:
        raise Refused(f"{target.name} is a hub: name what is plugged into it", code="is-hub")


def _both(some: list[str], others: list[str]) -> list[str]:
    return [name for name in some if name in others]


def _said(drivers: Mapping[str, str | None]) -> str:
    return ", ".join(f"{driver} has {name}" for name, driver in drivers.items() if driver is not None)


def _with(interface: str, driver: str | None) -> Expectation:
    return Expectation(effect=Effect.CHANGE, subsystem="usb", kernel_name=interface, driver=driver)
