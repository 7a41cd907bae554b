"""One device of one host, by name or by identity; and its document."""

from typing import cast

from sqlalchemy import Connection, select

from hwcensus import document
from hwcensus.libvirt.names import libvirt_names
from hwcensus_collector.inventory.device import Device, device_rows, to_devices
from hwcensus_collector.inventory.refusal import BadParameter, Unknown, did_you_mean, nearest_names
from hwcensus_collector.tables import device, host

#: Parts of a current document that may be left out.
MOVING = ("key", "state")
_LONGEST_NAME = 4096


def find_device(connection: Connection, host_id: str, wanted: str, *, xml: bool = False) -> Device:
    """The device of that name or identity: one that is there before one that is gone, then the last heard of.

    Raises Unknown (`unknown-device`) with the nearest names of the host.
    """
    if len(wanted) > _LONGEST_NAME:
        raise BadParameter(f"a device's name has at most {_LONGEST_NAME} characters")
    ids = device_ids(connection, host_id, wanted)
    rows = connection.execute(device_rows(xml=xml).where(device.c.id.in_(ids[:1]))).all()
    if not rows:
        raise unknown_device(connection, host_id, wanted)
    return to_devices(connection, rows)[0]


def device_ids(connection: Connection, host_id: str, wanted: str) -> list[int]:
    """The ids of the things that bear this name or identity, or bore it last, the best match first."""
    column = device.c.identity if "/" in wanted else device.c.name
    order = (device.c.present.desc(), device.c.seq.desc(), device.c.version.desc())
    query = select(device.c.id).where(device.c.host == host_id)
    ids = connection.execute(query.where(column == wanted).order_by(*order)).scalars().all()
    if not ids and wanted == "computer":
        ids = connection.execute(query.where(device.c.identity == wanted)).scalars().all()
    return list(ids) or _by_libvirt_name(connection, host_id, wanted)


def _by_libvirt_name(connection: Connection, host_id: str, wanted: str) -> list[int]:
    """libvirt appends the MAC or serial to a name: `net_eth0_52_54_00_12_34_56`, `block_sda_SERIAL`."""
    parts = wanted.split("_")
    shorter = ["_".join(parts[:count]) for count in range(2, len(parts))]
    query = select(device.c.id, device.c.name, device.c.key, device.c.facts, device.c.state)
    rows = connection.execute(
        query.where(device.c.host == host_id, device.c.name.in_(shorter), device.c.present.is_(True))
    )
    return [row.id for row in rows if wanted in libvirt_names(row.name, {**row.facts, **row.state}, row.key)]


def unknown_device(connection: Connection, host_id: str, wanted: str) -> Unknown:
    """The refusal that names the nearest devices of the host."""
    query = select(device.c.name).where(device.c.host == host_id).order_by(device.c.present.desc())
    near = nearest_names(wanted, connection.execute(query).scalars())
    name = connection.execute(select(host.c.name).where(host.c.id == host_id)).scalar_one()
    return Unknown(f"{name} has no device {wanted!r}{did_you_mean(near)}", code="unknown-device", nearest=near)


def read_moving(text: str | None) -> tuple[str, ...]:
    """Which of key and state a document is to have, from `key,state`. Raises BadParameter."""
    wanted = MOVING if text is None else tuple(filter(None, text.split(",")))
    if set(wanted) - set(MOVING):
        raise BadParameter(f"include takes {' and '.join(MOVING)}, separated by commas, not {text!r}")
    return wanted


def current_document(found: Device, include: tuple[str, ...] = MOVING) -> bytes:
    """The document of a device that was looked up with `xml`: the bytes as told, or without its key or states."""
    whole = cast(str, found.xml).encode()
    left_out = [tag for tag in MOVING if tag not in include]
    if not left_out:
        return whole
    root = document.parse(whole)
    for element in list(root.iter(*left_out)):
        parent = element.getparent()
        if parent is not None:
            parent.remove(element)
    return document.to_bytes(root)
