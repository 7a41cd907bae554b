"""Fibre Channel ports of this host as sysfs shows them now, and the writes that make and delete virtual ones.

The kernel's scsi_transport_fc.c; its lpfc of before 2.6.24 had the virtual ports' attributes at the `scsi_host`. What
ports are in the census is not asked here.
"""

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from hwcensus.fact import printable
from hwcensus_agent import sysfs
from hwcensus_agent.describe.fc import wwn
from hwcensus_agent.sysfs import Unreadable

_CLASSES = ("fc_host", "scsi_host")
_NAME = re.compile(r"0x[0-9a-f]{16}")


@dataclass(frozen=True, kw_only=True)
class FcPort:
    """One port, as it was when it was looked at; all but what it is known by is read when it is asked for."""

    sysroot: str
    #: The kernel's name, which it deals anew: `host5`.
    host: str
    #: Its folder in this file system, without links; a virtual port's is in `vport-*` of its adapter's.
    folder: str
    wwpn: str | None

    @property
    def syspath(self) -> str:
        """As the kernel names it: "/sys/…"; `sysroot` is one without links."""
        return "/sys" + self.folder.removeprefix(self.sysroot)

    @property
    def wwnn(self) -> str | None:
        """Its node's name. Raises Unreadable."""
        return _wwn(f"{self.sysroot}/class/fc_host/{self.host}/node_name")

    @property
    def vport(self) -> str | None:
        """The kernel's name of a virtual port, not dealt twice below one adapter; None for a physical port."""
        name = os.path.basename(os.path.dirname(self.folder))  # noqa: PTH119, PTH120
        return name if name.startswith("vport-") else None

    @property
    def adapter(self) -> str | None:
        """The host of a virtual port's adapter."""
        folder = os.path.dirname(os.path.dirname(self.folder))  # noqa: PTH120
        return None if self.vport is None else os.path.basename(folder)  # noqa: PTH119

    @property
    def max_vports(self) -> int:
        """How many virtual ports it can have; 0 for a port that can have none. Raises Unreadable."""
        return 0 if self.vport or not self._home("vport_create") else self._number("max_npiv_vports")

    @property
    def vports(self) -> int:
        """How many it has. Raises Unreadable."""
        return self._number("npiv_vports_inuse")

    @property
    def state(self) -> str | None:
        """`port_state`, in the kernel's words."""
        return _text(f"{self.sysroot}/class/fc_host/{self.host}/port_state")

    @property
    def vport_state(self) -> str | None:
        """Likewise, of a virtual port."""
        return _text(f"{self.sysroot}/class/fc_vports/{self.vport}/vport_state")

    def create(self, wwpn: str, wwnn: str) -> str | None:
        """Has the driver make a virtual port. Returns when it did, with the syspath of its host where that can be told
        from others; raises the kernel's OSError."""
        before = _listed(self.folder, "vport-")
        self._write("vport_create", f"{wwpn}:{wwnn}")
        new = _listed(self.folder, "vport-") - before
        hosts = [f"{vport}/{host}" for vport in new for host in _listed(f"{self.folder}/{vport}", "host")]
        return f"{self.syspath}/{hosts[0]}" if len(hosts) == 1 else None

    def delete(self, vport: "FcPort") -> None:
        """The reverse."""
        # Never fc_vports/*/vport_delete: that deletes whatever is written to it, and returns before it is done.
        self._write("vport_delete", vport.kernel_names())

    def kernel_names(self) -> str:
        """What the kernel compares with before it deletes a virtual port: also of one with names that nobody should
        have, as zero."""
        for home in (f"fc_vports/{self.vport}", f"fc_host/{self.host}"):
            names = [_text(f"{self.sysroot}/class/{home}/{name}") or "" for name in ("port_name", "node_name")]
            if all(_NAME.fullmatch(name) for name in names):
                return ":".join(name.removeprefix("0x") for name in names)
        raise Unreadable(f"{self.host} shows no names by which it could be deleted")

    def _write(self, name: str, text: str) -> None:
        home = self._home(name) or f"{self.sysroot}/class/{_CLASSES[0]}/{self.host}"
        descriptor = os.open(f"{home}/{name}", os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(descriptor, text.encode())  # in one piece: each write is a request of its own
        finally:
            os.close(descriptor)

    def _home(self, name: str) -> str | None:
        """The class folder of this port that has the attribute."""
        homes = (f"{self.sysroot}/class/{class_}/{self.host}" for class_ in _CLASSES)
        return next((home for home in homes if os.path.lexists(f"{home}/{name}")), None)

    def _number(self, name: str) -> int:
        home = self._home(name)
        text = None if home is None else _text(f"{home}/{name}")
        if text is None:
            return 0
        if not (text.isascii() and text.isdigit() and len(text) <= 10):
            raise Unreadable(f"{home}/{name} reads {text[:40]!r}, which is no number")
        return int(text)


def fc_hosts(sysroot: str) -> list[str]:
    """The SCSI hosts that are one, sorted. Raises Unreadable."""
    return sysfs.children(f"{sysroot}/class/fc_host", "host")


def fc_ports(sysroot: str) -> Iterator[FcPort]:
    """All of this host. Raises Unreadable."""
    for host in fc_hosts(sysroot):
        port = fc_port(sysroot, host)
        if port is not None:
            yield port


def fc_port(sysroot: str, host: str) -> FcPort | None:
    """The one of a SCSI host; None where that is none, or gone. Raises Unreadable."""
    home = f"{sysroot}/class/fc_host/{host}"
    folder = _device(home)
    if os.path.basename(folder) != host:  # noqa: PTH119
        return None
    return FcPort(sysroot=sysroot, host=host, folder=folder, wwpn=_wwn(f"{home}/port_name"))


def _listed(folder: str, prefix: str) -> set[str]:
    """The names in a folder that begin so; none where it cannot be read."""
    with suppress(Unreadable):
        return {*sysfs.children(folder, prefix)}
    return set()


def _device(home: str) -> str:
    """The folder of the device that a class's folder is of, without links."""
    try:
        link = os.readlink(home)  # noqa: PTH115
    except OSError:  # kernels before 2.6.25, whose classes have folders of their own
        return os.path.realpath(f"{home}/device")
    # One step, where following `device` looks at every folder on the way: `…/host5` of `…/host5/fc_host/host5`.
    return os.path.normpath(f"{os.path.dirname(home)}/{link}/../..")  # noqa: PTH120


def _wwn(path: str) -> str | None:
    text = _text(path)
    try:
        return None if text is None else wwn(text)
    except ValueError:
        return None


def _text(path: str) -> str | None:
    raw = sysfs.read(path)
    return None if raw is None else printable(raw.strip(b" \t\n\r\0")) or None
