"""Who this host is: its id, and the evidence that tells it from a clone of itself (docs/protocol.md, envelope)."""

import hashlib
import hmac
import uuid
from pathlib import Path

from hwcensus.errors import ConfigError, HwcensusError
from hwcensus.event import Evidence
from hwcensus.fact import printable
from hwcensus.identity import is_bogus
from hwcensus_agent.rtnetlink import RouteSocket

#: Our application id for hashing the machine id, as sd_id128_get_machine_app_specific(3) has it: HMAC-SHA256 keyed by
#: the machine id, so that the machine id itself is never told.
_APPLICATION = uuid.UUID("6d3a8f0e-5a3c-4f57-9a52-0f1f6f3f6a11").bytes

SYS = "/sys"  # this machine's


def host_id(*, sysroot: str = SYS, machine_id: Path = Path("/etc/machine-id")) -> str:
    """The system UUID, else an id made from the machine id. Raises ConfigError where there is neither."""
    system = system_uuid(sysroot)
    if system is not None:
        return system
    hashed = hashed_machine_id(machine_id) if sysroot == SYS else None
    if hashed is None:
        where = f"no {machine_id}" if sysroot == SYS else "its sysfs is not this machine's"
        raise ConfigError(f"no system UUID, and {where}: give the host an id with `host = …`", code="no-host-id")
    return hashed


def evidence(*, sysroot: str = SYS, machine_id: Path = Path("/etc/machine-id")) -> Evidence:
    """What can be read of what tells this host from others; of this machine only where the sysfs is its own."""
    serial = _serial(Path(sysroot, "class/dmi/id/board_serial"))
    return Evidence(
        system_uuid=system_uuid(sysroot),
        board_serial=None if serial is None or is_bogus(serial) else serial,
        machine_id=hashed_machine_id(machine_id) if sysroot == SYS else None,
        macs=permanent_macs() if sysroot == SYS else (),
    )


def system_uuid(sysroot: str) -> str | None:
    """The SMBIOS system UUID as the kernel gives it, if it is readable and not a known-bogus one."""
    text = _read(Path(sysroot, "class/dmi/id/product_uuid"))
    try:
        found = str(uuid.UUID(text or ""))
    except ValueError:
        return None
    return None if is_bogus(found) else found


def hashed_machine_id(path: Path) -> str | None:
    """The machine id (machine-id(5)), hashed for our use, as a version 4 UUID."""
    try:
        machine = bytes.fromhex(_read(path) or "")
    except ValueError:
        return None
    if len(machine) != 16:
        return None
    digest = hmac.digest(machine, _APPLICATION, hashlib.sha256)
    return str(uuid.UUID(bytes=digest[:16], version=4))


def permanent_macs() -> tuple[str, ...]:
    """The permanent addresses of this host's interfaces (IFLA_PERM_ADDRESS), sorted."""
    try:
        with RouteSocket() as route:
            links = route.dump_links()
    except (OSError, HwcensusError):
        return ()
    return tuple(sorted({link.permanent_address for link in links if link.permanent_address is not None}))


def boot_id(*, sysroot: str = SYS) -> str | None:
    """A random id of this boot (random(4)); None where the sysfs is another machine's."""
    return None if sysroot != SYS else _read(Path("/proc/sys/kernel/random/boot_id"))


def _serial(path: Path) -> str | None:
    """Makers leave any bytes there; XML cannot carry some of them."""
    try:
        return printable(path.read_bytes().strip()) or None
    except OSError:
        return None


def _read(path: Path) -> str | None:
    try:
        return path.read_text(errors="replace").strip() or None
    except OSError:
        return None
