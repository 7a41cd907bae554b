"""The host itself. Facts from SMBIOS as sysfs class `dmi` shows them (DMTF DSP0134), the rest from the running kernel.

Of a recorded host the running kernel knows nothing: what only it could tell is left out.
"""

import platform
import re
from pathlib import Path

from hwcensus.classes.system import System, SystemState
from hwcensus.fact import printable
from hwcensus_agent import sysfs
from hwcensus_agent.describe import memory
from hwcensus_agent.describe.description import Description
from hwcensus_agent.describe.facts import Facts, From, first, hal, stated, worked_out
from hwcensus_agent.host import HostView
from hwcensus_agent.view import View

#: Maker of the machine, or product, as hypervisors write it → kind, in systemd-detect-virt's words.
HYPERVISORS = (
    ("KVM", "kvm"),
    ("Amazon EC2", "amazon"),
    ("QEMU", "qemu"),
    ("VMware", "vmware"),
    ("innotek", "oracle"),
    ("VirtualBox", "oracle"),
    ("Xen", "xen"),
    ("Bochs", "bochs"),
    ("Parallels", "parallels"),
    ("BHYVE", "bhyve"),
    ("Google Compute Engine", "google"),
    ("Microsoft Corporation Virtual Machine", "microsoft"),
)
#: Clock source that only guests have → kind.
CLOCKS = (("kvm-clock", "kvm"), ("hyperv_clocksource", "microsoft"), ("xen", "xen"))

OS_RELEASE = (Path("/etc/os-release"), Path("/usr/lib/os-release"))


#: Where the kernel shows the device tree that firmware gave it instead of SMBIOS (kernel ABI sysfs-firmware-ofw).
TREE = "../firmware/devicetree/base"


def dmi(attribute: str, *by_hal: str) -> From:
    """A field of SMBIOS; the kernel lets only root read serials. HAL has it as `system.…`, before 0.5.11 `smbios.…`."""
    return first(
        stated(lambda view, _: view.text(f"../class/dmi/id/{attribute}"), sysfs=f"`class/dmi/id/{attribute}`"),
        *map(hal, by_hal),
    )


def tree(attribute: str) -> From:
    """A property of the device tree's root."""
    return stated(lambda view, _: view.text(f"{TREE}/{attribute}"), firmware=f"device tree: `{attribute}`")


@worked_out(firmware="device tree: `compatible`, the part before the comma")
def tree_vendor(view: View, _: HostView) -> str | None:
    vendor, comma, _rest = (view.raw(f"{TREE}/compatible") or b"").partition(b"\0")[0].partition(b",")
    return printable(vendor) or None if comma else None


@worked_out(sysfs="`class/dmi/id/product_uuid`", hal="`system.hardware.uuid`, before 0.5.11 `smbios.system.uuid`")
def uuid(view: View, _: HostView) -> str | None:
    by_hal = view.hal("system.hardware.uuid") or view.hal("smbios.system.uuid")
    found = view.text("../class/dmi/id/product_uuid") or by_hal
    return found.lower() if isinstance(found, str) else None


@worked_out(kernel="uname(2) release")
def kernel(_: View, host: HostView) -> str | None:
    return platform.release() if host.live else None


@worked_out(kernel="uname(2) machine")
def architecture(_: View, host: HostView) -> str | None:
    return platform.machine() if host.live else None


@worked_out(kernel="os-release(5) PRETTY_NAME")
def operating_system(_: View, host: HostView) -> str | None:
    if not host.live:
        return None
    found = next((path for path in OS_RELEASE if path.exists()), None)
    name = re.search(r'^PRETTY_NAME="?(.*?)"?$', "" if found is None else found.read_text(errors="replace"), re.M)
    return None if name is None else name[1] or None


@worked_out(kernel="/proc/sys/kernel/random/boot_id")
def boot(_: View, host: HostView) -> str | None:
    raw = sysfs.read("/proc/sys/kernel/random/boot_id") if host.live else None
    return None if raw is None else raw.decode("ascii", "replace").strip() or None


@worked_out(firmware="SMBIOS memory devices, summed", sysfs="`memory` blocks that are online")
def total_memory(view: View, host: HostView) -> int | None:
    return memory.of_modules(host) or memory.of_blocks(view)


@worked_out(firmware="SMBIOS type 17: device locators of those without a size")
def empty_slots(_: View, host: HostView) -> tuple[str, ...]:
    return memory.empty_slots(host)


@worked_out(
    sysfs="maker and product in `class/dmi/id`, `hypervisor/type`, clock sources", kernel="cpuid's hypervisor bit"
)
def virtualization(view: View, host: HostView) -> str | None:
    fields = ("sys_vendor", "board_vendor", "bios_vendor", "product_name")
    said = [view.text(f"../class/dmi/id/{field}") or "" for field in fields]
    whole = f"{said[0]} {said[3]}"
    for sign, kind in HYPERVISORS:
        if whole.startswith(sign) or any(text.startswith(sign) for text in said):
            return kind
    hypervisor = view.text("../hypervisor/type")
    return hypervisor or (_by_clock(view) if host.live else None)


def _by_clock(view: View) -> str | None:
    clocks = (view.text("system/clocksource/clocksource0/available_clocksource") or "").split()
    for sign, kind in CLOCKS:
        if any(clock.startswith(sign) for clock in clocks):
            return kind
    flags = re.search(rb"^flags\s*:.*\bhypervisor\b", sysfs.read("/proc/cpuinfo", limit=1 << 16) or b"", re.M)
    return "vm-other" if flags else None


SYSTEM = Facts(
    System,
    vendor=first(dmi("sys_vendor", "system.hardware.vendor", "smbios.system.manufacturer"), tree_vendor),
    product=first(dmi("product_name", "system.hardware.product", "smbios.system.product"), tree("model")),
    version=dmi("product_version", "system.hardware.version", "smbios.system.version"),
    serial=first(dmi("product_serial", "system.hardware.serial", "smbios.system.serial"), tree("serial-number")),
    uuid=uuid,
    firmware_vendor=dmi("bios_vendor", "system.firmware.vendor", "smbios.bios.vendor"),
    firmware_version=dmi("bios_version", "system.firmware.version", "smbios.bios.version"),
    firmware_date=dmi("bios_date", "system.firmware.release_date", "smbios.bios.release_date"),
    board_vendor=dmi("board_vendor", "system.board.vendor"),
    board_product=dmi("board_name", "system.board.product"),
    board_serial=dmi("board_serial", "system.board.serial"),
    board_asset=dmi("board_asset_tag"),
    chassis_vendor=dmi("chassis_vendor", "system.chassis.manufacturer", "smbios.chassis.manufacturer"),
    chassis_product=dmi("chassis_version"),
    chassis_serial=dmi("chassis_serial"),
    chassis_asset=dmi("chassis_asset_tag"),
    kernel=first(kernel, hal("system.kernel.version")),
    os=operating_system,
    architecture=first(architecture, hal("system.kernel.machine")),
    memory=total_memory,
    virtualization=virtualization,
)

STATE = Facts(SystemState, System, boot=boot, empty_slots=empty_slots)


def describe(view: View, host: HostView) -> Description:
    return Description(capabilities=(SYSTEM.of(view, host, state=STATE.of(view, host)) or System(),))
