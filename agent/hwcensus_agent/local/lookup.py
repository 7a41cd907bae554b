"""Finds a device by name, key or identity, or by the longer name that libvirt would give it."""

import difflib
from collections.abc import Sequence

from hwcensus.errors import NotFound
from hwcensus.libvirt.facts import facts_now
from hwcensus.libvirt.names import libvirt_names
from hwcensus_agent.enumerate import Described


def find(devices: Sequence[Described], wanted: str) -> Described:
    """The device. Raises NotFound with the nearest names."""
    for one in devices:
        if wanted in (one.name, one.key, one.identity):
            return one
    for one in devices:
        if _is_called(one, wanted):
            return one
    names = [one.key if wanted.startswith("/") else one.name for one in devices]
    near = difflib.get_close_matches(wanted, names, n=3, cutoff=0.5)
    hint = f"; near it: {', '.join(near)}" if near else "; `hwcensus-agent list` shows all"
    raise NotFound(f"there is no device {wanted!r}{hint}", code="unknown-device", nearest=" ".join(near))


def _is_called(one: Described, wanted: str) -> bool:
    """Whether libvirt may call it so: with the address of an interface, with model and serial of a disk."""
    if not wanted.startswith(f"{one.name}_"):
        return False
    return wanted in libvirt_names(one.name, facts_now(one.device), one.key)
