"""`hwcensus-agent policy check`: what a command would be answered here and now, by what is asked when one comes.

Nothing is changed, and nobody's signature is looked at: whether a command is genuine is known only when it comes.
"""

import argparse
import asyncio
import sys
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from lxml import etree

from hwcensus import document
from hwcensus.command import Command, IssuedCommand, read_command
from hwcensus.creatable import check_creation, read_creation, vport
from hwcensus.errors import HwcensusError, NotFound, Refused, UsageError
from hwcensus.event import Produced
from hwcensus.instant import now, write_instant
from hwcensus.signature import read_public_keys
from hwcensus_agent import hostid
from hwcensus_agent.commands.binding import Binding
from hwcensus_agent.commands.census_port import Expectation, Target
from hwcensus_agent.commands.creation import Creation
from hwcensus_agent.commands.executors import binders, executors
from hwcensus_agent.commands.guard import Guard
from hwcensus_agent.commands.means import Means
from hwcensus_agent.commands.policy import VPORT, Policy, Rule, told
from hwcensus_agent.commands.runner import PATIENCE_S
from hwcensus_agent.commands.subject import Subject
from hwcensus_agent.commands.wishes import Wishes
from hwcensus_agent.commands.work import Work
from hwcensus_agent.desired import Desired
from hwcensus_agent.enumerate import Described
from hwcensus_agent.local import lookup, seen
from hwcensus_agent.settings import AgentSettings
from hwcensus_agent.way import Way

#: What is done with a device that is named; a creation is a document.
ACTIONS = ("destroy", "detach", "reattach")


def add_arguments(check: argparse.ArgumentParser) -> None:
    what = check.add_mutually_exclusive_group(required=True)
    what.add_argument("file", metavar="FILE", nargs="?", help="a creation document, or a command; - is stdin")
    for action in ACTIONS:
        what.add_argument(f"--{action}", metavar="DEVICE", help=f"as if the centre wanted to {action} this device")
    check.add_argument("--force", action="store_true", help="as if the command said so")
    check.add_argument("--policy", dest="commands.policy", metavar="FILE", help="a policy that is not yet in force")


def check(arguments: argparse.Namespace, settings: AgentSettings) -> int:
    """Prints what is known; the exit code is 0 where the command would be tried. Raises HwcensusError where not."""
    devices = seen.devices(settings.census)
    policy = Explained.of(settings)
    command = _command(arguments, devices)
    print(f"policy   {policy.source}")
    host = _this_host(settings)
    if isinstance(command, IssuedCommand):
        _address(command, host)
    means = Means(policy=policy, census=OneLook(devices), note=lambda *_: None, patience=PATIENCE_S)
    way = Way(settings.kafka.bootstrap_servers)
    desired = Desired(settings.spool.desired, host or "", only_looks=True)
    work = Work(
        means=means,
        creation=Creation(
            means=means, executors=executors(way, settings.census.sysroot), wishes=Wishes(desired=desired)
        ),
        binding=Binding(means=means, binders=binders(way, settings.census.sysroot)),
    )
    try:
        asyncio.run(work.may(command))
    finally:
        for line in policy.told:
            print(f"allowed  {line}")
    print("now      nothing on this host is against it")
    for line in _later(command, settings):
        print(f"later    {line}")
    return 0


@dataclass(frozen=True, kw_only=True)
class Explained(Policy):
    """A policy that remembers by which rule it allowed what."""

    told: list[str] = field(default_factory=list)

    def rule(self, action: str, class_: str, subject: Subject) -> Rule | None:
        found = super().rule(action, class_, subject)
        if found is not None:
            limits = found.limits(action)
            self.told.append(f"to {action} {class_} {told(class_, subject)}, by {found.where}: {limits}")
        return found


class OneLook:
    """The devices of one look, as commands see a census; nothing is expected of it."""

    def __init__(self, devices: Collection[Described]) -> None:
        self._devices = devices

    def find(self, name_or_identity: str) -> Target | None:
        found = next((one for one in self._devices if name_or_identity in (one.identity, one.name)), None)
        if found is None:
            return None
        return Target(
            identity=found.identity, name=found.name, syspath=found.path, subsystem=found.subsystem,
            driver=found.device.driver,
        )  # fmt: skip

    def expect(self, command_id: str, expectations: Collection[Expectation]) -> None:
        pass

    def forget(self, command_id: str) -> None:
        pass

    async def wait_seen(self, command_id: str, timeout: float, at: str | None) -> tuple[Produced, ...] | None:
        return None


def _command(arguments: argparse.Namespace, devices: tuple[Described, ...]) -> Command:
    """The command that is asked about; issued by nobody where it is made up here."""
    for action in ACTIONS:
        if (wanted := getattr(arguments, action)) is not None:
            found = lookup.find(devices, wanted)
            return _made_up(action, arguments.force, identity=found.identity, name=found.name)
    raw = _content(arguments.file)
    if document.parse(raw).tag == "command":
        return read_command(raw)
    device = read_creation(raw)
    _complete(device, OneLook(devices))
    return _made_up("create", arguments.force, device=device)


def _content(file: str) -> bytes:
    if file == "-" and sys.stdin is None:
        raise UsageError("-: stdin is closed; give a file")
    try:
        return sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise NotFound(f"{file}: {error.strerror}", code="no-file") from error


def _made_up(
    type_: str,
    force: bool,
    *,
    identity: str | None = None,
    name: str | None = None,
    device: etree._Element | None = None,
) -> Command:
    return Command(
        id="policy-check", type=type_, expires=now() + timedelta(minutes=10), force=force, identity=identity, name=name,
        device=device,
    )  # fmt: skip


def _complete(device: etree._Element, census: OneLook) -> None:
    """What the centre adds to a vport's document before it goes into a command. Raises UsageError."""
    if check_creation(device) != VPORT:
        return
    parent = device.find("parent")
    found = census.find(parent.text or "") if parent is not None else None
    if parent is not None and parent.get("identity") is None and found is not None:
        parent.set("identity", found.identity)
    missing = [f"its {name}" for name in ("wwnn", "wwpn") if name not in vport.names(device)]
    if parent is None or parent.get("identity") is None:
        missing.append('<parent identity="scsi/wwpn/…"> or the name of one that is here')
    if missing:
        text = f"the centre chooses what a request leaves open; to ask about a virtual port write {', '.join(missing)}"
        raise UsageError(text, code="incomplete")


def _this_host(settings: AgentSettings) -> str | None:
    try:
        return settings.host or hostid.host_id(sysroot=settings.census.sysroot)
    except HwcensusError as error:
        print(f"host     not known here: {error}")
        return None


def _address(command: IssuedCommand, host: str | None) -> None:
    """What a command says of whom and when it is for. Raises Refused."""
    if host not in (None, command.host):
        raise Refused(f"it is for host {command.host}, and this is {host}", code="wrong-host")
    Guard(host=command.host, keys={}, knows_stream=lambda _: True).check(command, now())


def _later(command: Command, settings: AgentSettings) -> list[str]:
    """What is known only when a command comes, or after."""
    lines = [
        _signed(settings.commands.keys),
        "the same questions again, by the policy that the agent read when it started",
    ]
    if isinstance(command, IssuedCommand):
        lines.append(
            f"stream {command.stream} in this agent's past, and its turn before {write_instant(command.expires)}"
        )
    lines.append(f"the kernel's answer, and the census seeing it within {PATIENCE_S:g} s")
    return lines


def _signed(file: Path) -> str:
    try:
        pinned = read_public_keys(file)
    except (OSError, ValueError, HwcensusError) as error:
        return f"no key is pinned, so that no command is obeyed (no-keys): {error}"
    return f"signed by a key of {file}: {', '.join(pinned) or '(none)'}"
