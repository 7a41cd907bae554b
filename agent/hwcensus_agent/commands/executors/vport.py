"""Virtual Fibre Channel ports (NPIV, FC-LS-2), by the kernel's `vport_create` and `vport_delete`.

The kernel keeps nobody's name on them, so a port is known by its WWPN: none is made where this host has one of that
name, or one whose name cannot be read, so that what is there after a crash is what was asked for. Which adapter is
best, and which WWPNs other hosts have, is the collector's business.
"""

import os

from hwcensus.command import Command
from hwcensus.creatable import vport
from hwcensus.creatable.adapter import ONLINE
from hwcensus.errors import Refused
from hwcensus.names import device_name
from hwcensus.wwn import port_identity, port_wwpn
from hwcensus_agent import sysfs
from hwcensus_agent.commands.census_port import Effect, Expectation, Target
from hwcensus_agent.commands.executors.executor import DeviceChanged, Health, KernelRefused, NameTaken
from hwcensus_agent.commands.subject import Subject
from hwcensus_agent.fc_ports import FcPort, fc_port, fc_ports
from hwcensus_agent.holders import holders
from hwcensus_agent.sysfs import Unreadable

_SUBSYSTEM = "scsi"
#: How scsi_transport_fc.c calls the state of a virtual port that carries traffic.
ACTIVE = "Active"


class WwnInUse(NameTaken):
    """a port of that name is there"""

    code = "wwn-in-use"


class VportExecutor:
    """Makes and deletes the virtual ports of one host's adapters."""

    creates = "vport"

    def __init__(self, sysroot: str) -> None:
        self._sysroot = os.path.realpath(sysroot)

    def subject(self, command: Command) -> Subject:
        return Subject(name="", parent=_parent_wwpn(command), wwpn=_names(command)[0])

    def check(self, command: Command) -> str:
        wwpn, wwnn = _names(command)
        if not (wwpn and wwnn):
            raise Refused("a command names wwpn and wwnn of the port to be made, both", code="bad-wwn")
        adapter = self._adapter(command)
        _check_room(adapter)
        if command.require is not None and adapter.state != ONLINE:
            raise Refused(
                f"the port of {adapter.host} is {adapter.state or 'in no state told'}, not {ONLINE}",
                code="parent-offline",
            )
        self._check_free(wwpn)
        return ""

    def expected(self, command: Command, mark: str) -> tuple[Expectation, ...]:
        return (Expectation(effect=Effect.ADD, subsystem=_SUBSYSTEM, identity=port_identity(_names(command)[0])),)

    def create(self, command: Command) -> str | None:
        wwpn, wwnn = _names(command)
        adapter = self._adapter(command)
        try:
            return adapter.create(wwpn, wwnn)
        except OSError as error:
            refused = KernelRefused.by(error, f"vport_create of {adapter.host}, {wwpn}:{wwnn}")
            self._check_free(wwpn, f"; {refused}")  # made by somebody else meanwhile: not ours
            raise refused from error

    def health(self, command: Command) -> Health | None:
        try:
            port = self._port(_names(command)[0])
            if port is None:
                return Health(text="the port is gone", is_online=False)
            vport_state, state = port.vport_state, port.state
        except Unreadable as error:
            return Health(text=str(error), is_online=False)
        text = ", ".join(f"{what} {word}" for what, word in (("vport", vport_state), ("port", state)) if word)
        is_online = state == ONLINE if vport_state is None else vport_state == ACTIVE
        return Health(text=text or "no state told", is_online=is_online)

    def was_created(self, command: Command, mark: str) -> bool | None:
        try:
            return self._made(command) is not None
        except Unreadable:
            return None

    def undo(self, command: Command, mark: str) -> None:
        made = self._made(command)
        if made is not None:
            self._delete(made)

    def mark_of(self, target: Target) -> str | None:
        found = self._of(target)
        if found is None:
            return None
        if found.vport is None:
            raise Refused(f"{target.name} is a physical port, which no command destroys", code="physical-port")
        meant = port_wwpn(target.identity)
        if meant not in (None, found.wwpn):  # the census has not seen yet that the kernel dealt the number again
            raise DeviceChanged(f"{found.host} has WWPN {found.wwpn} now, not {meant}")
        return _mark(found)

    def subject_of(self, target: Target) -> Subject:
        found = self._of(target)
        if found is None:
            return Subject(name=target.kernel_name)
        adapter = self._adapter_of(found)
        return Subject(name=target.kernel_name, parent=None if adapter is None else adapter.wwpn, wwpn=found.wwpn)

    def in_use(self, target: Target) -> tuple[str, ...]:
        return holders(self._sysroot, target.syspath)

    def destroy(self, target: Target, mark: str) -> None:
        found = self._of(target)
        if found is None or _mark(found) != mark:
            raise DeviceChanged(f"{target.kernel_name} is not the virtual port any more that was found a moment ago")
        self._delete(found)

    def was_destroyed(self, target: Target, mark: str) -> bool | None:
        found = self._of(target)
        if found is not None and _mark(found) == mark:
            return False
        # Of that name, but another number: made anew by somebody, or the host was started anew.
        return True if self._port(mark.partition(":")[0]) is None else None

    def _adapter(self, command: Command) -> FcPort:
        """The port that is to have the new one, as sysfs shows it now."""
        parent = None if command.device is None else command.device.find("parent")
        name, identity = ("", None) if parent is None else (parent.text or "", parent.get("identity"))
        if not name or identity is None:
            raise Refused("a command names the adapter, by name and identity", code="no-parent")
        hosts = sysfs.children(f"{self._sysroot}/class/scsi_host", "host")
        host = next((host for host in hosts if device_name(_SUBSYSTEM, host) == name), None)
        if host is None:
            raise Refused(f"there is no {name} here", code="parent-unknown")
        adapter = fc_port(self._sysroot, host)
        if adapter is None:
            raise Refused(f"{name} is no Fibre Channel port", code="parent-not-fc")
        wwpn = _parent_wwpn(command)
        if wwpn not in (None, adapter.wwpn):
            raise DeviceChanged(f"{name} has WWPN {adapter.wwpn} now, not {wwpn}")
        return adapter

    def _adapter_of(self, port: FcPort) -> FcPort | None:
        return None if port.adapter is None else fc_port(self._sysroot, port.adapter)

    def _check_free(self, wwpn: str, further: str = "") -> None:
        found = self._port(wwpn)
        if found is not None:
            raise WwnInUse(f"{found.host} has WWPN {wwpn} already{further}")

    def _made(self, command: Command) -> FcPort | None:
        """The virtual port that a command makes."""
        wwpn, wwnn = _names(command)
        found = self._port(wwpn)
        return found if found is not None and found.vport is not None and found.wwnn == wwnn else None

    def _port(self, wwpn: str) -> FcPort | None:
        """Raises Unreadable where the name of a port before it cannot be read: it may be this one."""
        return next((port for port in fc_ports(self._sysroot) if port.wwpn == wwpn), None)

    def _of(self, target: Target) -> FcPort | None:
        return fc_port(self._sysroot, target.kernel_name) if target.subsystem == _SUBSYSTEM else None

    def _delete(self, port: FcPort) -> None:
        adapter = self._adapter_of(port)
        if adapter is None:
            raise DeviceChanged(f"the adapter of {port.host} is gone")
        try:
            adapter.delete(port)
        except OSError as error:
            raise KernelRefused.by(error, f"vport_delete of {adapter.host}, {port.wwpn}") from error


def _names(command: Command) -> tuple[str, str]:
    names = {} if command.device is None else vport.names(command.device)
    return names.get("wwpn", ""), names.get("wwnn", "")


def _parent_wwpn(command: Command) -> str | None:
    parent = None if command.device is None else command.device.find("parent")
    return None if parent is None else port_wwpn(parent.get("identity", ""))


def _check_room(adapter: FcPort) -> None:
    try:
        limit, inuse = adapter.max_vports, adapter.vports
    except Unreadable as error:
        raise Refused(str(error), code="parent-no-npiv") from error
    if adapter.vport is not None:
        raise Refused(
            f"{adapter.host} is a virtual port itself: {adapter.adapter} can have more", code="parent-no-npiv"
        )
    if limit <= 0:
        raise Refused(f"{adapter.host} takes no virtual ports: its driver offers no NPIV", code="parent-no-npiv")
    if inuse >= limit:
        raise Refused(f"{adapter.host} has {inuse} virtual ports of {limit} that it can have", code="parent-full")


def _mark(port: FcPort) -> str:
    # hostN is dealt again; the number of a vport is not, below one adapter.
    return f"{port.wwpn}:{port.wwnn} {port.vport} {port.host}"
