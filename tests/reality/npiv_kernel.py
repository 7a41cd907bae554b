"""A host with Fibre Channel adapters that is nothing but files and threads: they play scsi_transport_fc.

What is written to `vport_create` or `vport_delete`, a FIFO, makes a SCSI host or takes it away, as lab guests' kernels
do (tests/lab/test_fc.py), and tells whoever listens. In two layouts: today's, with the attributes at the `fc_host` and
classes that are links; and 2.6.24's, with attributes at the `scsi_host` and classes that are folders.
"""

import os
import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from hwcensus_agent.sources import Action

PCI = "devices/pci0000:00/0000:00:03.0"
_END = "end"


@dataclass
class NpivKernel:
    """`root` is what serves as /sys."""

    root: Path
    is_old: bool = False
    #: Told of what comes and goes: action, syspath.
    tell: Callable[[Action, str], None] = lambda action, syspath: None
    #: What was written, by attribute.
    written: list[tuple[str, str]] = field(default_factory=list)
    #: How a new virtual port fares.
    vport_state: str = "Active"
    #: Whether it makes what it is asked for.
    makes: bool = True
    #: Held up by whoever wants a driver that blocks.
    goes_on: threading.Event = field(default_factory=threading.Event)
    #: That it was asked for something; how often it has done what it was asked for.
    asked: threading.Event = field(default_factory=threading.Event)
    done: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    _numbers: dict[str, int] = field(default_factory=dict)
    _threads: list[tuple[Path, threading.Thread]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.goes_on.set()
        for folder in ("bus/scsi/devices", "class/scsi_host", "class/fc_host", "class/fc_vports"):
            (self.root / folder).mkdir(parents=True)

    def adapter(self, host: str, wwpn: str, *, room: object = 255, inuse: object = 0, state: str = "Online") -> None:
        self._host(f"{PCI}/{host}", wwpn, f"1000{wwpn[4:]}", state)
        home = self._class_folder("scsi_host" if self.is_old else "fc_host", f"{PCI}/{host}")
        (home / "max_npiv_vports").write_text(f"{room}\n")
        (home / "npiv_vports_inuse").write_text(f"{inuse}\n")
        for name, work in (("vport_create", self._create), ("vport_delete", self._delete)):
            fifo = self.root.with_name(f"{host} {name}")  # which stays where it is, whatever the attribute leads to
            os.mkfifo(fifo)
            (home / name).symlink_to(fifo)
            thread = threading.Thread(target=self._serve, args=(fifo, name, host, work), daemon=True)
            self._threads.append((fifo, thread))
            thread.start()

    def plain_host(self, host: str) -> None:
        """One of another transport."""
        self._device(f"{PCI}/{host}", "bus/scsi/devices", "DEVTYPE=scsi_host\n")
        self._class("scsi_host", f"{PCI}/{host}", proc_name="ahci")

    def vport(self, adapter: str, wwpn: str, wwnn: str) -> str:
        """Makes a virtual port; gives the name of its host, the first that is free."""
        number = self._numbers[adapter] = self._numbers.get(adapter, -1) + 1
        vport = f"vport-{adapter.removeprefix('host')}:0-{number}"
        host = next(name for n in range(100) if not self._is_there(name := f"host{n}"))
        path = f"{PCI}/{adapter}/{vport}/{host}"
        (self.root / path).mkdir(parents=True)
        self._class("fc_vports", f"{PCI}/{adapter}/{vport}", vport_state=self.vport_state, **_names(wwpn, wwnn))
        self._host(path, wwpn, wwnn, "Online" if self.vport_state == "Active" else self.vport_state)
        self._count(adapter, 1)
        self.tell(Action.ADD, f"/sys/{path}")
        return host

    def used_lun(self, host: str) -> None:
        """A disk behind a virtual port, which LVM has made a volume of."""
        (port,) = (self.root / PCI).glob(f"host*/vport-*/{host}")
        lun, volume = port / "target0:0:0/0:0:0:0", self.root / "devices/virtual/block/dm-3"
        disk = self.root / "block/sdb" if self.is_old else lun / "block/sdb"
        for folder in (lun, volume / "dm", disk / "holders", self.root / "block"):
            folder.mkdir(parents=True, exist_ok=True)
        (disk / "dev").write_text("8:16\n")
        for attribute, text in (("dev", "254:3"), ("dm/name", "vg0-data"), ("dm/uuid", "LVM-kB4r")):
            (volume / attribute).write_text(f"{text}\n")
        _link(disk / "holders/dm-3", volume)
        _link(self.root / "block/dm-3", volume)
        if self.is_old:
            _link(disk / "device", lun)
        else:
            (self.root / "dev/block").mkdir(parents=True)
            _link(self.root / "dev/block/8:16", disk)

    def remove(self, adapter: str, host: str) -> None:
        (folder,) = (self.root / PCI / adapter).glob(f"vport-*/{host}")
        listed = [self.root / "bus/scsi/devices" / host, *self.root.glob(f"class/*/{host}")]
        # At once: who is reading it finds it gone when he has read, not without some of its attributes.
        gone = folder.parent.rename(self.root.with_name(f"{host} of {folder.parent.name}"))
        for link in [*listed, self.root / "class/fc_vports" / folder.parent.name]:
            _take_away(link)
        shutil.rmtree(gone)
        self._count(adapter, -1)
        self.tell(Action.REMOVE, f"/sys/{folder.relative_to(self.root)}")

    def vports(self) -> dict[str, str]:
        """Host → its names, as sysfs has them."""
        found = sorted((self.root / PCI).glob("host*/vport-*/host*"))
        return {folder.name: self._text(folder, "port_name") for folder in found}

    def refuses_by(self, attribute: str, adapter: str, file: str) -> None:
        """From now on the kernel answers a write as it does for `file`."""
        home = self._class_folder("scsi_host" if self.is_old else "fc_host", f"{PCI}/{adapter}")
        (home / attribute).unlink()
        (home / attribute).symlink_to(file)

    def close(self) -> None:
        self.goes_on.set()
        for fifo, thread in self._threads:
            fifo.write_text(_END)
            thread.join(10)

    def _serve(self, fifo: Path, attribute: str, adapter: str, work: Callable[[str, str, str], None]) -> None:
        while (text := fifo.read_text()) != _END:
            self.written.append((attribute, text))
            self.asked.set()
            self.goes_on.wait(10)
            wwpn, _, wwnn = text.partition(":")
            work(adapter, wwpn, wwnn)
            self.done.release()

    def _create(self, adapter: str, wwpn: str, wwnn: str) -> None:
        if self.makes:
            self.vport(adapter, wwpn, wwnn)

    def _delete(self, adapter: str, wwpn: str, wwnn: str) -> None:
        for host, name in self.vports().items():
            if name == f"0x{wwpn}":
                self.remove(adapter, host)

    def _host(self, path: str, wwpn: str, wwnn: str, state: str) -> None:
        self._device(path, "bus/scsi/devices", "DEVTYPE=scsi_host\n")
        self._class("scsi_host", path, proc_name="lpfc")
        self._class("fc_host", path, port_state=state, port_type="NPort", **_names(wwpn, wwnn))

    def _device(self, path: str, home: str, uevent: str) -> None:
        folder = self.root / path
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "uevent").write_text(uevent)
        _link(folder / "subsystem", self.root / home.removesuffix("/devices"))
        _link(self.root / home / folder.name, folder)

    def _class(self, name: str, path: str, **attributes: str) -> None:
        folder = self._class_folder(name, path)
        folder.mkdir(parents=True)
        _link(folder / "device", self.root / path)
        for attribute, value in attributes.items():
            (folder / attribute).write_text(f"{value}\n")
        if not self.is_old:
            _link(self.root / "class" / name / folder.name, folder)

    def _class_folder(self, name: str, path: str) -> Path:
        device = self.root / path
        return self.root / "class" / name / device.name if self.is_old else device / name / device.name

    def _count(self, adapter: str, more: int) -> None:
        home = self._class_folder("scsi_host" if self.is_old else "fc_host", f"{PCI}/{adapter}")
        inuse = home / "npiv_vports_inuse"
        inuse.write_text(f"{int(inuse.read_text()) + more}\n")

    def _is_there(self, host: str) -> bool:
        return os.path.lexists(self.root / "bus/scsi/devices" / host)

    def _text(self, folder: Path, attribute: str) -> str:
        return (self.root / "class/fc_host" / folder.name / attribute).read_text().strip()


def _names(wwpn: str, wwnn: str) -> dict[str, str]:
    return {"port_name": f"0x{wwpn}", "node_name": f"0x{wwnn}"}


def _link(at: Path, goal: Path) -> None:
    at.symlink_to(os.path.relpath(goal, at.parent))


def _take_away(path: Path) -> None:
    path.unlink() if path.is_symlink() else shutil.rmtree(path, ignore_errors=True)
