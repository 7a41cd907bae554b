"""Whether a host can be commanded now, and the device on it that a command names, by what the inventory knows."""

from dataclasses import dataclass

from lxml import etree
from sqlalchemy import Connection, select

from hwcensus.command import DRIVER
from hwcensus.errors import Refused, UsageError
from hwcensus_collector import tables
from hwcensus_collector.inventory.device import Device
from hwcensus_collector.inventory.hosts import host_id
from hwcensus_collector.inventory.lookup import find_device

#: Seconds by which an agent's clock may be off: it judges deadlines by its own.
CLOCK_SKEW_LIMIT = 30.0
#: Buses whose devices can be taken from their driver.
DETACHABLE = ("pci", "usb")


@dataclass(frozen=True, kw_only=True)
class ReadyHost:
    """A host that takes commands."""

    id: str
    name: str
    stream: str
    creatable: tuple[str, ...]


def ready_host(connection: Connection, wanted: str) -> ReadyHost:
    """The host of this id or name. Raises Unknown, Ambiguous; Refused (`host-retired`, `host-in-conflict`,
    `no-stream`, `clock-skew`)."""
    host = tables.host
    row = connection.execute(select(host).where(host.c.id == host_id(connection, wanted))).one()
    if row.retired_at is not None:
        raise Refused(f"{row.name} is retired", code="host-retired")
    if row.conflict is not None:
        raise Refused(
            f"two agents claim to be {row.name}: settle that with hwcensus-collector host accept first",
            code="host-in-conflict",
        )
    if row.stream is None:
        raise Refused(f"{row.name} has not introduced itself since this database was made", code="no-stream")
    if row.clock_skew is not None and abs(row.clock_skew) > CLOCK_SKEW_LIMIT:
        raise Refused(
            f"the clock of {row.name} is off by {row.clock_skew:+.0f} s, at most {CLOCK_SKEW_LIMIT:.0f} s are taken",
            code="clock-skew",
        )
    return ReadyHost(id=row.id, name=row.name, stream=row.stream, creatable=tuple(row.creatable))


def require_creatable(host: ReadyHost, type_: str) -> None:
    """Raises Refused (`not-creatable-here`)."""
    if type_ not in host.creatable:
        can = f"only {', '.join(host.creatable)}" if host.creatable else "nothing"
        raise Refused(f"{host.name} can create {can}, no {type_}", code="not-creatable-here")


def present_device(connection: Connection, host: ReadyHost, wanted: str) -> Device:
    """The device of this name or identity that is there now. Raises Unknown; Refused (`device-gone`)."""
    found = find_device(connection, host.id, wanted)
    if not found.present:
        raise Refused(f"{wanted} of {host.name} is gone", code="device-gone")
    return found


def fill_parent(connection: Connection, host: ReadyHost, creation: etree._Element) -> None:
    """Completes the parent of a creation document: name *and* identity. Raises as `present_device`, and Refused
    (`device-changed`) where both are given and do not agree."""
    parent = creation.find("parent")
    if parent is None:
        return
    found = present_device(connection, host, parent.text or "")
    given = parent.get("identity")
    if given not in (None, found.identity):
        raise Refused(f"the parent {parent.text} is {found.identity}, not {given}", code="device-changed")
    parent.set("identity", found.identity)


def require_detachable(target: Device, driver: str | None, *, force: bool) -> None:
    """Whether a device can be taken from its driver, as far as its facts say. Raises Refused (`not-detachable`,
    `is-bridge`, `boot-vga`), UsageError (`bad-driver`)."""
    if target.bus not in DETACHABLE or "usb_interface" in target.capabilities:
        whole = f"; name {target.parent}" if "usb_interface" in target.capabilities else ""
        raise Refused(f"{target.name} is no PCI function and no USB device{whole}", code="not-detachable")
    if driver is not None and (target.bus != "pci" or not DRIVER.fullmatch(driver)):
        raise UsageError(f"{target.name} cannot be given to a driver {driver!r}", code="bad-driver")
    if not force and target.facts.get("pci.bridge.type") is not None:
        raise Refused(f"{target.name} is a bridge, all below it would go; force does it", code="is-bridge")
    if not force and target.facts.get("pci.boot_vga") is True:
        raise Refused(f"{target.name} shows the console; force takes it all the same", code="boot-vga")
