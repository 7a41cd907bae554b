"""What feeds what, in one table: devices by whose coming, change and going another one is described anew.

Most are class devices that the kernel keeps beside a device of ours and that are none themselves (`fc_host` beside a
SCSI host); some are devices that another one tells of. Found by the path wherever that is enough: of a device that is
gone nothing else is left. A new line: the subsystem, and which paths such a device feeds.
"""

import os
import re
from collections.abc import Callable, Iterable, Mapping

from hwcensus_agent import board, sysfs
from hwcensus_agent.hal.device import DEVICES
from hwcensus_agent.host import HostView, key_of
from hwcensus_agent.sysfs import Unreadable

#: The host and the sysfs path of a device, which may be gone → sysfs paths of what it feeds.
Feeds = Callable[[HostView, str], Iterable[str]]

_VPORT = re.compile(r"(.*/host\d+)/vport-[^/]+/host\d+")


def owner(host: HostView, path: str) -> list[str]:
    """What a class device is of: `…/host5/fc_host/host5` of `…/host5`. Kernels before 2.6.25 say it by a link."""
    if not path.startswith("/sys/class/"):
        return [path.rsplit("/", 2)[0]]
    found = sysfs.target(f"{host.folder(path)}/device", host.root)
    return [] if found is None else [found]


def below(host: HostView, path: str, prefix: str) -> list[str]:
    """The folders in a device's own that begin with `prefix`."""
    return [f"{path}/{name}" for name in sysfs.children(host.folder(path), prefix)]


def disks(host: HostView, path: str) -> list[str]:
    """The block devices of a logical unit: its `change` is all that tells that a disk got its bay (kernel's ses.c)."""
    return below(host, f"{path}/block", "")


def unit_and_disks(host: HostView, path: str) -> list[str]:
    return [one for unit in owner(host, path) for one in (unit, *disks(host, unit))]


def port_and_adapter(host: HostView, path: str) -> list[str]:
    """The port's SCSI host; of a virtual port also the adapter's, which counts them."""
    hosts = owner(host, path)
    return [*hosts, *(found[1] for one in hosts if (found := _VPORT.fullmatch(one)) is not None)]


def adapter_and_virtual_port(host: HostView, path: str) -> list[str]:
    return [one for vport in owner(host, path) for one in (vport.rpartition("/")[0], *below(host, vport, "host"))]


def targets_and_units(host: HostView, path: str) -> list[str]:
    """Those behind a remote port: units are blocked and offline with it."""
    found = [one for port in owner(host, path) for one in below(host, port, "target")]
    return [*found, *(unit for one in found for unit in below(host, one, one.rpartition("/target")[2] + ":"))]


def disks_in_bays(host: HostView, path: str) -> list[str]:
    """Those in an enclosure that is there."""
    units = (sysfs.target(f"{host.folder(bay)}/device", host.root) for bay in below(host, path, ""))
    return [disk for unit in units if unit is not None for disk in disks(host, unit)]


def namespaces(host: HostView, path: str) -> list[str]:
    """Those of several paths that a controller has one to; of one that is gone, all that have several."""
    if host.is_there(key_of(path)):
        found = (re.fullmatch(r"(nvme\d+)c\d+(n\d+)", one.rpartition("/")[2]) for one in below(host, path, "nvme"))
        blocks = (f"{host.root}/class/block/{name[1]}{name[2]}" for name in found if name is not None)
        return [head for block in blocks if (head := sysfs.target(block, host.root)) is not None]
    folder = f"{host.root}/class/nvme-subsystem"
    subsystems = (sysfs.target(f"{folder}/{name}", host.root) for name in sysfs.children(folder, "nvme-subsys"))
    return [
        head
        for subsystem in subsystems
        for head in (() if subsystem is None else below(host, subsystem, "nvme"))
        if re.search(r"/nvme\d+n\d+$", head)
    ]


def group_and_physical_function(host: HostView, path: str) -> list[str]:
    """Those of its IOMMU group, and what it is a virtual function of. Of one that is gone, whatever beside it has a
    group or can have virtual functions: its links went with it."""
    if host.is_there(key_of(path)):
        folder = host.folder(path)
        physical, group = sysfs.target(f"{folder}/physfn", host.root), sysfs.target(f"{folder}/iommu_group", host.root)
        links = [] if group is None else below(host, f"{group}/devices", "")
        found = [physical, *(sysfs.target(host.folder(link), host.root) for link in links)]
        return [one for one in found if one not in (None, path)]
    folder, _, name = path.rpartition("/")
    beside = below(host, folder, f"{name.partition(':')[0]}:")
    return [one for one in beside if _is_related(host.folder(one))]


def _is_related(function: str) -> bool:
    return any(os.path.lexists(f"{function}/{name}") for name in ("iommu_group", "sriov_totalvfs"))


def input_device(_: HostView, path: str) -> list[str]:
    """The device that an event node is of."""
    above = path.rpartition("/")[0]
    return [above] if re.search(r"/input\d+$", above) else []


def all_processors(host: HostView, _: str) -> list[str]:
    """The kernel does not say which package a CPU that is switched off is of."""
    return board.processors(host)


def computer(_: HostView, __: str) -> list[str]:
    """Where firmware counts no modules, the computer has the memory that is online."""
    return [DEVICES]


#: Subsystem → what its devices feed.
FEEDS: Mapping[str, Feeds] = {
    "scsi_host": owner,
    "scsi_device": owner,
    "scsi_disk": unit_and_disks,
    "scsi": disks,
    "fc_host": port_and_adapter,
    "fc_vports": adapter_and_virtual_port,
    "fc_remote_ports": targets_and_units,
    "fc_transport": owner,
    "iscsi_host": owner,
    "sas_host": owner,
    "spi_host": owner,
    "spi_transport": owner,
    "enclosure": disks_in_bays,
    "nvme": namespaces,
    "input": input_device,
    "pci": group_and_physical_function,
    "cpu": all_processors,
    "memory": computer,
}

#: Kernel name → subsystem, of devices that are in no folder of their class.
_BY_NAME = (
    (re.compile(r"[0-9a-f]{4,}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]"), "pci"),
    (re.compile(r"(\d+:){3}\d+"), "scsi"),
    (re.compile(r"nvme\d+"), "nvme"),
    (re.compile(r"cpu\d+"), "cpu"),
    (re.compile(r"memory\d+"), "memory"),
)


def fed_by(host: HostView, path: str) -> list[str]:
    """Sysfs paths of the devices that a device at this path feeds, whether it came, changed or went."""
    feeds = FEEDS.get(_subsystem(path))
    try:
        return [] if feeds is None else [*feeds(host, path)]
    except Unreadable:
        return []  # those that it feeds have their own turn by the clock


def _subsystem(path: str) -> str:
    folder, _, name = path.rpartition("/")
    above = folder.rpartition("/")[2]
    if above in FEEDS:
        return above
    if re.fullmatch(r"input\d+", above):
        return "input"
    return next((subsystem for sign, subsystem in _BY_NAME if sign.fullmatch(name)), "")
