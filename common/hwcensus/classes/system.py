"""The host itself: `computer`. Facts from SMBIOS (DMTF DSP0134, types 0 to 3) as sysfs class `dmi` shows them."""

from dataclasses import dataclass
from typing import ClassVar

from hwcensus.device import Capability, State
from hwcensus.fact import NUMBER, UUID, optional, repeated


@dataclass(frozen=True, kw_only=True)
class SystemState(State):
    """What a reboot changes, and the memory slots that nothing is in."""

    boot: str | None = optional("@boot", UUID, doc="/proc/sys/kernel/random/boot_id")
    empty_slots: tuple[str, ...] = repeated("empty_slot", doc="as printed on the board")


@dataclass(frozen=True, kw_only=True)
class System(Capability):
    """Hardware, firmware, board and chassis of the host, its kernel and memory (bytes)."""

    type_: ClassVar[str] = "system"
    state_class: ClassVar[type[State]] = SystemState

    vendor: str | None = optional("hardware@vendor")
    product: str | None = optional("hardware@product")
    version: str | None = optional("hardware@version")
    serial: str | None = optional("hardware@serial", identifier="serial")
    uuid: str | None = optional("hardware@uuid", UUID, identifier="system-uuid")
    firmware_vendor: str | None = optional("firmware@vendor")
    firmware_version: str | None = optional("firmware@version")
    firmware_date: str | None = optional("firmware@date")
    board_vendor: str | None = optional("board@vendor")
    board_product: str | None = optional("board@product")
    board_serial: str | None = optional("board@serial")
    board_asset: str | None = optional("board@asset")
    chassis_vendor: str | None = optional("chassis@vendor")
    chassis_product: str | None = optional("chassis@product")
    chassis_serial: str | None = optional("chassis@serial")
    chassis_asset: str | None = optional("chassis@asset")
    kernel: str | None = optional("kernel", doc="uname -r")
    os: str | None = optional("os", doc="PRETTY_NAME of os-release(5)")
    architecture: str | None = optional("architecture", doc="uname -m")
    memory: int | None = optional("memory", NUMBER, doc="bytes")
    virtualization: str | None = optional("virtualization")
