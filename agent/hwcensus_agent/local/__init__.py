"""`hwcensus-agent list|show|dump|watch|policy`: what this host's agent sees, by hand and without any Kafka.

The 2008 proposal's verbs on one host: count and list devices, by capability, by bus, look one up, print its document.
"""

import argparse
import os
import sys
from collections.abc import Callable, Mapping

from hwcensus.errors import NotFound
from hwcensus.parser import FILE
from hwcensus_agent.local import documents, listing, lookup, policy, seen, watch
from hwcensus_agent.settings import SOURCES, AgentSettings

Verb = Callable[[argparse.Namespace, AgentSettings], int]


def add_parsers(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """A parser for each verb; `run` takes what they parse."""
    listing.add_arguments(_parser(verbs, "list", "list this host's devices, by capability or by bus"))
    show = _parser(verbs, "show", "show the facts of one device")
    show.add_argument("device", metavar="NAME|KEY", help="name, key (sysfs path) or identity; libvirt's names do too")
    show.add_argument("-o", "--output", choices=("text", "json", "xml"), default="text", help="default: text")
    dump = _parser(verbs, "dump", "print device documents: one <device>, or several in a <devices> element")
    dump.add_argument("devices", metavar="NAME|KEY", nargs="*", help="default: all, in <devices>")
    dump.add_argument(
        "--format", choices=documents.FORMATS, default="hwcensus", help="libvirt: as virsh nodedev-dumpxml has them"
    )
    watch.add_arguments(_parser(verbs, "watch", "print devices as they come, change and go"))
    rules = verbs.add_parser("policy", help="what commands may do here").add_subparsers(required=True, metavar="VERB")
    policy.add_arguments(_parser(rules, "check", "say what a command would be answered, and why; nothing is done"))


def _parser(
    verbs: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, text: str
) -> argparse.ArgumentParser:
    parser = verbs.add_parser(name, help=text, description=text)
    parser.set_defaults(show_config=False)
    parser.add_argument("--config", metavar="FILE", type=FILE, help="read settings from this TOML file")
    # These set what `census.…` in the configuration sets.
    parser.add_argument(
        "--sysroot", dest="census.sysroot", metavar="DIR", help="a sysfs mounted, or recorded, elsewhere"
    )
    parser.add_argument(
        "--include", dest="census.include", metavar="WHAT,…", help="also a subsystem, or a kind: net:veth"
    )
    parser.add_argument(
        "--source", dest="census.source", choices=SOURCES, help="who says what there is (default: auto)"
    )
    parser.add_argument(
        "--hal-address", dest="census.hal_address", metavar="ADDRESS", help="another bus that a hald is on"
    )
    return parser


def run(arguments: argparse.Namespace, settings: AgentSettings) -> int:
    """Runs a verb and gives its exit code. Raises HwcensusError, OSError."""
    return VERBS[arguments.verb](arguments, settings)


def _list(arguments: argparse.Namespace, settings: AgentSettings) -> int:
    devices = seen.devices(settings.census)
    text = listing.render(devices, arguments)
    if text:
        print(text)
    _say_unread(devices)
    return 0


def _show(arguments: argparse.Namespace, settings: AgentSettings) -> int:
    devices = seen.devices(settings.census)
    found = lookup.find(devices, arguments.device)
    print(documents.show(found, arguments.output))
    return 0


def _dump(arguments: argparse.Namespace, settings: AgentSettings) -> int:
    devices = seen.devices(settings.census)
    wanted = [lookup.find(devices, name) for name in arguments.devices] or list(devices)
    written = documents.FORMATS[arguments.format](devices)
    left_out = [one.name for one in wanted if one.name not in written]
    if left_out and arguments.devices:
        raise NotFound(f"{arguments.format} has no form for {', '.join(left_out)}", code="no-such-form")
    document = documents.dump(
        [written[one.name] for one in wanted if one.name in written], bare=len(arguments.devices) == 1
    )
    sys.stdout.buffer.write(document.encode() + b"\n")  # XML without a declaration is UTF-8, whatever the locale
    if left_out:
        print(f"hwcensus-agent: {arguments.format} has no form for {len(left_out)} devices: left out", file=sys.stderr)
    return 0


def _watch(arguments: argparse.Namespace, settings: AgentSettings) -> int:
    return watch.run(settings.census, arguments.output)


def _say_unread(devices: listing.Devices) -> None:
    """Says once what more another look would show: one with more rights, or when hardware that sleeps is awake."""
    unread = [path for one in devices if one.device.state for path in (one.device.state.unread or "").split()]
    if unread:
        who = "cannot be read now" if os.geteuid() == 0 else "only root may read, or not now"
        print(f"hwcensus-agent: {who}: {', '.join(sorted(set(unread)))}", file=sys.stderr)


VERBS: Mapping[str, Verb] = {
    "list": _list, "show": _show, "dump": _dump, "watch": _watch, "policy": policy.check,
}  # fmt: skip
