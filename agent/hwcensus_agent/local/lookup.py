"""Finds a device by name, key or identity, or by the longer name that libvirt would give it."""

import difflib
from collections.abc import Iterator, Sequence

from hwcensus.classes.net import Net, NetState
from hwcensus.classes.storage import Storage
from hwcensus.errors import NotFound
from hwcensus.names import device_name
from hwcensus_agent.enumerate import Described


def find(devices: Sequence[Described], wanted: str) -> Described:
    """The device. Raises NotFound with the nearest names."""
    for one in devices:
        if wanted in (one.name, one.key, one.identity):
            return one
    for one in devices:
        if wanted in libvirt_names(one):
            return one
    names = [one.key if wanted.startswith("/") else one.name for one in devices]
    near = difflib.get_close_matches(wanted, names, n=3, cutoff=0.5)
    hint = f"; near it: {', '.join(near)}" if near else "; `hwcensus-agent list` shows all"
    raise NotFound(f"there is no device {wanted!r}{hint}", code="unknown-device", nearest=" ".join(near))


def libvirt_names(one: Described) -> Iterator[str]:
    """The names that libvirt may have for it: with the address of an interface, with model and serial of a disk."""
    net, storage = one.device.capability("net"), one.device.capability("storage")
    if isinstance(net, Net):
        current = net.state.address if isinstance(net.state, NetState) else None
        yield device_name(one.name, current or net.address or "00:00:00:00:00:00")
    if isinstance(storage, Storage) and storage.serial is not None:
        yield device_name(one.name, storage.serial)
        yield device_name(one.name, f"{storage.model}_{storage.serial}")
