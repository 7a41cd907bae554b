"""What can be made and taken away, one executor a class, and moved between drivers, one binder a bus: adding one is a
file and a line here."""

from hwcensus_agent.commands.executors.binder import Binder
from hwcensus_agent.commands.executors.bond import BondExecutor
from hwcensus_agent.commands.executors.bridge import BridgeExecutor
from hwcensus_agent.commands.executors.executor import Executor
from hwcensus_agent.commands.executors.pci_binder import PciBinder
from hwcensus_agent.commands.executors.usb_binder import UsbBinder
from hwcensus_agent.commands.executors.virt_functions import VirtFunctionsExecutor
from hwcensus_agent.commands.executors.vlan import VlanExecutor
from hwcensus_agent.commands.executors.vport import VportExecutor
from hwcensus_agent.commands.executors.way_keeper import WayKeeper
from hwcensus_agent.way import Way


def executors(way: Way, sysroot: str) -> dict[str, Executor]:
    """Creatable type (hwcensus.creatable) → executor, for the host whose sysfs is at `sysroot`."""
    every: tuple[Executor, ...] = (
        BridgeExecutor(way),
        VlanExecutor(way),
        BondExecutor(way),
        VportExecutor(sysroot),
        VirtFunctionsExecutor(way, sysroot),
    )
    return {executor.creates: executor for executor in every}


def binders(way: Way, sysroot: str) -> dict[str, Binder]:
    """Subsystem → binder, likewise."""
    every: tuple[Binder, ...] = (
        PciBinder(sysroot),
        UsbBinder(sysroot),
    )
    return {binder.binds: WayKeeper(binder, way) for binder in every}
