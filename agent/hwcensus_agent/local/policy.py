"""`hwcensus-agent policy check`: what a command would be answered here and now, by what is asked when one comes.

Nothing is changed, and nobody's signature is looked at: whether a command is genuine is known only when it comes.
What a document leaves to the centre is asked for all that it may choose.
"""

import argparse
import asyncio
from collections.abc import Collection, Sequence
from datetime import timedelta
from pathlib import Path

from lxml import etree

from hwcensus import document
from hwcensus.command import Command, IssuedCommand, read_command
from hwcensus.creatable import creatable_type, read_creation
from hwcensus.errors import HwcensusError, Refused, UsageError
from hwcensus.event import Produced
from hwcensus.given import read_given
from hwcensus.instant import now, write_instant
from hwcensus.parser import FILE
from hwcensus.signature import read_public_keys
from hwcensus_agent import hostid
from hwcensus_agent.commands.binding import Binding
from hwcensus_agent.commands.census_port import Expectation, Target
from hwcensus_agent.commands.creation import Creation
from hwcensus_agent.commands.executors import binders, executors
from hwcensus_agent.commands.guard import Guard
from hwcensus_agent.commands.means import Means
from hwcensus_agent.commands.policy import VPORT, Policy
from hwcensus_agent.commands.runner import PATIENCE_S
from hwcensus_agent.commands.wishes import Wishes
from hwcensus_agent.commands.work import Work
from hwcensus_agent.desired import Desired
from hwcensus_agent.enumerate import Described
from hwcensus_agent.local import lookup, seen
from hwcensus_agent.local.explained import ALLOWED, Explained
from hwcensus_agent.local.open_port import OpenPort
from hwcensus_agent.settings import AgentSettings
from hwcensus_agent.way import Way

#: What is done with a device that is named; a creation is a document.
ACTIONS = ("destroy", "detach", "reattach")
#: The exit code where what the centre chooses decides: that of no error.
CHOICE = 6


def add_arguments(check: argparse.ArgumentParser) -> None:
    what = check.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "file", metavar="FILE", nargs="?", type=FILE, help="a creation document, or a command; - is stdin"
    )
    for action in ACTIONS:
        what.add_argument(f"--{action}", metavar="DEVICE", help=f"as if the centre wanted to {action} this device")
    check.add_argument("--driver", metavar="DRIVER", help="with --detach: as if it were to get the device")
    check.add_argument("--force", action="store_true", help="as if the command said so")
    check.add_argument(
        "--policy", dest="commands.policy", metavar="FILE", type=FILE, help="a policy that is not yet in force"
    )


def check(arguments: argparse.Namespace, settings: AgentSettings) -> int:
    """Prints what is known; the exit code is 0 where the command would be tried, CHOICE where that depends on what
    the centre chooses. Raises HwcensusError where it would not."""
    devices = seen.devices(settings.census)
    policy = Explained.of(settings)
    commands, left = _commands(arguments, devices)
    print(f"policy   {policy.source}")
    host = _this_host(settings)
    for line in left:
        print(f"open     {line}")
    is_certain = _answers(commands, host, _work(settings, policy, devices, host), policy)
    print(f"now      {'nothing on this host is against it' if is_certain else 'what the centre chooses decides'}")
    for line in _later(commands[0], settings):
        print(f"later    {line}")
    return 0 if is_certain else CHOICE


def _work(settings: AgentSettings, policy: Policy, devices: tuple[Described, ...], host: str | None) -> Work:
    means = Means(policy=policy, census=OneLook(devices), note=lambda *_: None, patience=PATIENCE_S)
    way = Way(settings.kafka.bootstrap_servers)
    desired = Desired(settings.spool.desired, host or "", only_looks=True)
    return Work(
        means=means,
        creation=Creation(
            means=means, executors=executors(way, settings.census.sysroot), wishes=Wishes(desired=desired)
        ),
        binding=Binding(means=means, binders=binders(way, settings.census.sysroot)),
    )


def _answers(commands: Sequence[Command], host: str | None, work: Work, policy: Explained) -> bool:
    """Prints what is said of them; whether all would be tried, whatever the centre chooses. Raises HwcensusError where
    none would."""
    refused: list[HwcensusError] = []
    for command in commands:
        try:
            if isinstance(command, IssuedCommand):
                _address(command, host)
            asyncio.run(work.may(command))
        except HwcensusError as error:
            refused.append(error)
    for word, line in policy.told:
        print(f"{word:<8} {line}")
    is_hopeless = len(refused) == len(commands)
    for refusal in refused[1:] if is_hopeless else refused:
        print(f"refused  {refusal.code}: {refusal}")
    if is_hopeless:
        raise refused[0]
    return not refused and all(word == ALLOWED for word, _ in policy.told)


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


def _commands(
    arguments: argparse.Namespace, devices: tuple[Described, ...]
) -> tuple[tuple[Command, ...], tuple[str, ...]]:
    """The commands that are asked about, issued by nobody where they are made up here, and what is left to the centre:
    what it may choose makes several."""
    if arguments.driver is not None and arguments.detach is None:
        raise UsageError("--driver says who gets what is detached: give --detach DEVICE too")
    for action in ACTIONS:
        if (wanted := getattr(arguments, action)) is not None:
            return (_made_up(action, arguments, target=lookup.find(devices, wanted)),), ()
    raw = read_given(arguments.file)
    if document.parse(raw).tag == "command":
        return (read_command(raw),), ()
    device = read_creation(raw)
    if creatable_type(device) != VPORT:
        return (_made_up("create", arguments, device=device),), ()
    port = OpenPort.of(device, devices)
    return tuple(_made_up("create", arguments, device=one) for one in port.documents), port.left


def _made_up(
    type_: str,
    arguments: argparse.Namespace,
    *,
    target: Described | None = None,
    device: etree._Element | None = None,
) -> Command:
    if target is not None and target.subsystem != "pci" and arguments.driver is not None:
        raise UsageError(f"{target.name} cannot be given to a driver {arguments.driver!r}", code="bad-driver")
    return Command(
        id="policy-check",
        type=type_,
        expires=now() + timedelta(minutes=10),
        force=arguments.force,
        driver=arguments.driver,
        identity=None if target is None else target.identity,
        name=None if target is None else target.name,
        device=device,
    )


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
    if not command.is_check:
        lines.append(f"the kernel's answer, and the census seeing it within {PATIENCE_S:g} s")
    return lines


def _signed(file: Path) -> str:
    try:
        pinned = read_public_keys(file)
    except (OSError, ValueError, HwcensusError) as error:
        return f"no key is pinned, so that no command is obeyed (no-keys): {error}"
    return f"signed by a key of {file}: {', '.join(pinned) or '(none)'}"
