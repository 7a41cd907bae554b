"""One device as hald has it: where it is in sysfs, and what the kernel calls its sort. Pure.

HAL dropped and renamed properties between releases; both generations are read here.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from hwcensus_agent.view import HalValue

Properties = Mapping[str, HalValue]

COMPUTER = "/org/freedesktop/Hal/devices/computer"
#: Where the computer is in sysfs for us: the folder of all devices.
DEVICES = "/sys/devices"

#: HAL's subsystem → the kernel's, and DEVTYPE as uevents have it.
_KINDS = {
    "usb_device": ("usb", "usb_device"),
    "usb": ("usb", "usb_interface"),
    "scsi_host": ("scsi", "scsi_host"),
    "scsi": ("scsi", "scsi_device"),
    "ieee1394": ("firewire", None),
}
#: The class twin of a SCSI host, as hald shows it beside the host or instead of it.
_TWIN = re.compile(r"(.*/(host\d+))/scsi_host/\2")


@dataclass(frozen=True, kw_only=True)
class HalDevice:
    """One device of hald's list."""

    udi: str
    properties: Properties = field(repr=False)

    @property
    def path(self) -> str | None:
        """Its folder in sysfs, `/sys/…`; of twins the device itself. None where HAL made it up."""
        if self.udi == COMPUTER:
            return DEVICES
        found = self.text("linux.sysfs_path")
        if found is None or not found.startswith("/sys/") or "/../" in f"{found}/":
            return None
        twin = _TWIN.fullmatch(found)
        return found if twin is None else twin[1]

    @property
    def is_twin(self) -> bool:
        """Whether it is but the class side of a device that hald may have too."""
        return _TWIN.fullmatch(self.text("linux.sysfs_path") or "") is not None

    @property
    def kind(self) -> tuple[str, str | None]:
        """Subsystem and DEVTYPE in the kernel's words; ("", None) where there is no telling."""
        if self.properties.get("block.device") is not None:
            return "block", "partition" if self.properties.get("block.is_volume") is True else "disk"
        said = self.text("info.subsystem") or self.text("info.bus") or self.text("linux.subsystem")
        if said in (None, "unknown"):
            said = self.text("info.category") or ""
        if said == "net":
            return "net", self._sort_of_interface()
        return _KINDS.get(said or "", (self.text("linux.subsystem") or said or "", None))

    def text(self, key: str) -> str | None:
        found: HalValue | None = self.properties.get(key)
        return found if isinstance(found, str) and found else None

    def _sort_of_interface(self) -> str | None:
        capabilities = self.properties.get("info.capabilities")
        said = set(capabilities) if isinstance(capabilities, list) else set()
        return "wlan" if "net.80211" in said else "bridge" if "net.bridge" in said else None
