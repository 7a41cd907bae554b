"""Which CPUs make up which package, and what the running kernel says of their kind.

Topology is sysfs's, and thus a recording's too; /proc/cpuinfo speaks of this machine alone.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hwcensus_agent import sysfs
from hwcensus_agent.sysfs import Unreadable

CPUS = "devices/system/cpu"
CPUINFO = Path("/proc/cpuinfo")
_CPU = re.compile(r"cpu([0-9]{1,7})")


@dataclass(frozen=True, kw_only=True)
class Topology:
    """The packages by number, and the CPUs of each."""

    packages: Mapping[int, tuple[int, ...]]
    #: CPUs that are switched off, of which the kernel does not say where they belong.
    hidden: frozenset[int]


def topology(root: str) -> Topology:
    """Of the sysfs at `root`. Raises Unreadable."""
    packages: dict[int, list[int]] = {}
    hidden = set()
    names = (match[1] for name in sysfs.children(f"{root}/{CPUS}", "cpu") if (match := _CPU.fullmatch(name)))
    for number in sorted(map(int, names)):
        package = sysfs.read(f"{root}/{CPUS}/cpu{number}/topology/physical_package_id")
        if package is None or not package.strip().removeprefix(b"-").isdigit():
            hidden.add(number)
        else:  # -1: the kernel was not told, as on small boards, which have one
            packages.setdefault(max(int(package), 0), []).append(number)
    return Topology(
        packages={package: tuple(cpus) for package, cpus in sorted(packages.items())}, hidden=frozenset(hidden)
    )


def cpuinfo(packages: Mapping[int, tuple[int, ...]]) -> dict[int, dict[str, str]]:
    """What /proc/cpuinfo says of one CPU of each package. It is not read further than that takes. Raises Unreadable."""
    package_of = {cpu: package for package, cpus in packages.items() for cpu in cpus}
    found: dict[int, dict[str, str]] = {}
    fields: dict[str, str] = {}
    try:
        with CPUINFO.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                name, colon, value = line.partition(":")
                if colon:
                    fields[name.strip()] = value.strip()
                    continue
                _note(found, package_of, fields)
                fields = {}
                if len(found) == len(packages):
                    break
    except OSError as error:
        raise Unreadable(f"{CPUINFO}: {error.strerror}") from error
    return found


def _note(found: dict[int, dict[str, str]], package_of: Mapping[int, int], fields: dict[str, str]) -> None:
    number = fields.get("processor", "")
    package = package_of.get(int(number)) if number.isdecimal() else None
    if package is not None:
        found.setdefault(package, fields)


def members(listed: str) -> frozenset[int]:
    """The numbers of a list as the kernel writes it: `0-3,8`. Raises ValueError."""
    found: set[int] = set()
    for part in filter(None, listed.split(",")):
        first, _, last = part.partition("-")
        if int(last or first) > 1 << 20:
            raise ValueError(f"{listed!r} is no list of CPUs")
        found.update(range(int(first), int(last or first) + 1))
    return frozenset(found)
