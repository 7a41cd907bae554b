"""PCI functions, taken from the host's driver for a guest and given back (kernel ABI sysfs-bus-pci).

`driver_override` names the only driver that may take a function, so that neither the host's own takes it again nor
vfio-pci takes another one. What speaks against it is in `pci_obstacles.py`.
"""

import json
import os
from dataclasses import asdict, dataclass

from hwcensus.command import DRIVER, Command
from hwcensus.errors import Refused, UsageError
from hwcensus_agent import modules
from hwcensus_agent.commands.census_port import BOUND, Effect, Expectation, Target
from hwcensus_agent.commands.executors.binder import Moved
from hwcensus_agent.commands.executors.drivers import SYS, Bus, read, write
from hwcensus_agent.commands.executors.executor import DeviceChanged, KernelRefused
from hwcensus_agent.commands.executors.guest_drivers import VFIO, holds_for_guests
from hwcensus_agent.commands.executors.pci_holders import function_holders
from hwcensus_agent.commands.executors.pci_obstacles import obstacles
from hwcensus_agent.commands.policy import DETACH

_OVERRIDE = "driver_override"


@dataclass(frozen=True, kw_only=True)
class _Held:
    """Who has a function, whom alone it is kept for, and what it is: at its place another may be one day."""

    driver: str | None
    override: str | None
    modalias: str | None

    @property
    def is_away(self) -> bool:
        return self.driver is None or self.driver == self.override or holds_for_guests(self.driver)


class PciBinder:
    """Moves functions between the host's drivers and those that hold them for guests."""

    binds = "pci"

    def __init__(self, sysroot: str = SYS) -> None:
        self._bus = Bus(name="pci", root=os.path.realpath(sysroot))

    def check(self, command: Command, target: Target) -> str:
        folder = self._bus.folder(target)
        held = self._held(folder)
        if command.type != DETACH:
            if not held.is_away:
                raise Refused(f"{target.name} is not detached: {held.driver} has it", code="not-detached")
            return json.dumps(asdict(held))
        driver = driver_for(command)
        if held.driver == driver:
            raise Refused(f"{target.name} is detached already: {driver} has it", code="already-detached")
        return json.dumps(asdict(held))

    def in_use(self, command: Command, target: Target) -> tuple[str, ...]:
        folder = self._bus.folder(target)
        virtual = read(folder, "sriov_numvfs") or "0"
        made = () if virtual == "0" else (f"{virtual} virtual functions of it are there and would go",)
        held = (*function_holders(self._bus.root, target.syspath), *made)
        if command.type == DETACH and not held:
            for obstacle in obstacles(self._bus, folder, driver_for(command)):
                raise obstacle
        return held

    def expected(self, command: Command, target: Target, mark: str) -> tuple[Expectation, ...]:
        return _with(target, None), _with(target, driver_for(command) if command.type == DETACH else BOUND)

    def bind(self, command: Command, target: Target) -> Moved:
        folder = self._bus.folder(target)
        if command.type == DETACH:
            return self._detach(target, folder, driver_for(command))
        return self._reattach(target, folder)

    def was_bound(self, command: Command, target: Target, mark: str) -> Moved | None:
        held = self._same(target, mark)
        if held is None or held.driver is None:
            return None
        is_there = held.driver == driver_for(command) if command.type == DETACH else not held.is_away
        return Moved(expected=(_with(target, held.driver),)) if is_there else None

    def undo(self, command: Command, target: Target, mark: str) -> None:
        held, before = self._same(target, mark), _Held(**json.loads(mark))
        if held is None:
            return
        folder = self._bus.folder(target)
        if held.driver != before.driver:
            # While it is given, no other may take it; and vfio-pci takes only what is kept for it.
            self._keep_for(folder, before.driver)
            self._bus.release(folder)
            if before.driver is not None:
                self._bus.give(folder, before.driver)
        self._keep_for(folder, before.override)

    def _detach(self, target: Target, folder: str, driver: str) -> Moved:
        self._have(driver)
        self._keep_for(folder, driver)
        self._bus.release(folder)
        self._bus.offer(folder)
        if self._bus.driver_of(folder) != driver:
            raise KernelRefused(f"{driver} does not take {target.name}; the kernel's log may say why")
        return Moved(expected=(_with(target, driver),))

    def _reattach(self, target: Target, folder: str) -> Moved:
        self._bus.release(folder)
        self._keep_for(folder, None)
        modules.load_for(read(folder, "modalias") or "")
        self._bus.offer(folder)
        driver = self._bus.driver_of(folder)
        text = None if driver is not None else f"no driver of this host takes {target.name}: it has none now"
        return Moved(expected=(_with(target, driver),), text=text)

    def _have(self, driver: str) -> None:
        if self._bus.knows(driver):
            return
        said = modules.load(driver)
        if not self._bus.knows(driver):
            raise Refused(f"this host has no driver {driver}: {said or 'the module of this name brings none'}",
                          code="driver-missing")  # fmt: skip

    def _keep_for(self, folder: str, driver: str | None) -> None:
        if self._held(folder).override != driver:
            write(f"{folder}/{_OVERRIDE}", f"{driver or ''}\n")  # an empty line: for any

    def _held(self, folder: str) -> _Held:
        override = read(folder, _OVERRIDE)
        return _Held(
            driver=self._bus.driver_of(folder),
            override=None if override == "(null)" else override,
            modalias=read(folder, "modalias"),
        )

    def _same(self, target: Target, mark: str) -> _Held | None:
        """The function that the mark was made of; None where it is gone, or another is in its place."""
        try:
            held = self._held(self._bus.folder(target))
        except DeviceChanged:
            return None
        return held if held.modalias == json.loads(mark)["modalias"] else None


def driver_for(command: Command) -> str:
    """Whom a detach gives the function to."""
    driver = command.driver or VFIO
    if not DRIVER.fullmatch(driver):
        raise UsageError(f"{driver!r} is no name of a driver", code="bad-driver")
    return driver


def _with(target: Target, driver: str | None) -> Expectation:
    return Expectation(
        effect=Effect.CHANGE, subsystem=target.subsystem, kernel_name=target.kernel_name, identity=target.identity,
        driver=driver,
    )  # fmt: skip
