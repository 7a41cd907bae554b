"""What a device *is* within its host, across reboots and renumbering: `<subsystem>/<kind>/<value>`.

Pure: (all devices seen, identities they were published under) → identities. Nothing here reads the system. The rules
are those of docs/protocol.md, "Identity"; tests/unit/test_identity.py has a line for each.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from hwcensus.names import COMPUTER

#: What the kernel deals by number, and what is left of it in a place. Tried in order on each path component.
_DEALT: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), left)
    for pattern, left in (
        (r"rport-\d+:(\d+)-\d+", r"rport-:\1"),
        (r"vport-\d+:(\d+)-\d+", r"vport-:\1"),
        (r"target\d+:(\d+:\d+)", r"target:\1"),
        (r"\d+:(\d+:\d+:\d+)", r":\1"),
        (r"nvme\d+(?:c\d+)?n(\d+)(?:p(\d+))?", r"nvme:n\1:p\2"),
        (r"(host|ata|link|dev|input|event|mouse|js|card|nvme|usb|virtio|sr|sg|st|phy|scsi_host|mmcblk)\d+", r"\1"),
        (r"(sd|vd|xvd|hd)[a-z]+(\d*)", r"\1\2"),
        (r"mmcblk\d+p(\d+)", r"mmcblk:p\1"),
        (r"usb\d+", "usb"),
        (r"\d+-(\d+(?:\.\d+)*(?::\d+\.\d+)?)", r"-\1"),
    )
)

#: Serials that makers write where there is none (libvirt, dmidecode and fwupd keep such lists).
_BOGUS = re.compile(
    r"none|n/?a|null|default|default string|unknown|invalid|empty|oem|not (?:available|applicable|specified|present)"
    r"|to be filled by o\.?e\.?m\.?|system serial number|serial|0123456789(?:abcdef)?|123456789.?|(.)\1*",
    re.IGNORECASE,
)


@dataclass(frozen=True, kw_only=True)
class Subject:
    """One device as far as its identity goes."""

    #: Resolved sysfs path: while it stays, the device has stayed.
    path: str
    subsystem: str
    #: (kind, value) of its own identifiers, the most telling first.
    own: Sequence[tuple[str, str]] = ()
    #: Sysfs path of the nearest ancestor that is a subject too.
    parent: str | None = None


def is_bogus(value: str) -> bool:
    """Whether a serial is one of those that say nothing: a fact still, but not an identifier."""
    return len(value.strip()) < 2 or _BOGUS.fullmatch(value.strip()) is not None


def identity_of(subsystem: str, kind: str, value: str) -> str:
    """The identity as it is written, bytes outside `[A-Za-z0-9._:-]` percent-encoded."""
    return f"{quote(subsystem, safe=':')}/{kind}/{quote(value, safe=':', errors='surrogateescape').replace('~', '%7E')}"


def reduce_component(component: str) -> str:
    """A path component without the numbers that the kernel dealt."""
    for pattern, left in _DEALT:
        if match := pattern.fullmatch(component):
            return match.expand(left)
    return component


def place_of(path: str, below: str | None = None, below_identity: str | None = None) -> str:
    """The reduced components of a sysfs path; below a device with an own identifier they start from its identity."""
    relative = path.removeprefix("/sys/devices/")
    start = ""
    if below is not None and below_identity is not None and path.startswith(below + "/"):
        relative, start = path[len(below) + 1 :], f"{below_identity}/"
    parts = relative.split("/")
    if len(parts) > 1 and parts[-2] == "net" and not relative.startswith("virtual/"):
        parts = parts[:-1]  # the name of a hardware interface is dealt, or given by udev
    return start + "/".join(reduce_component(part) for part in parts)


def assign_identities(subjects: Iterable[Subject], known: Mapping[str, str]) -> dict[str, str]:
    """The identity of every subject, by sysfs path.

    `known` are the identities under which devices that stayed present were published. Subjects come parents first.
    """
    ordered = sorted(subjects, key=lambda subject: _natural(subject.path))
    shared = _shared(ordered)
    identities: dict[str, str] = {}
    taken: set[str] = {known[s.path] for s in ordered if s.path in known and _still_fits(s, known[s.path])}
    by_identifier: set[str] = set()
    for subject in ordered:
        former = known.get(subject.path)
        if former is not None and _still_fits(subject, former):
            identity = former
        else:
            identity = _fresh(subject, shared, identities, by_identifier)
            identity = _unlike(identity, taken)
        taken.add(identity)
        identities[subject.path] = identity
        if "/place/" not in identity:
            by_identifier.add(subject.path)
    return identities


def _natural(path: str) -> list[tuple[int, str]]:
    """Sorts host2 before host10, so that `~2`, `~3` follow the kernel's numbers."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", path)]


def _shared(subjects: Iterable[Subject]) -> set[tuple[str, str, str]]:
    counts = Counter((s.subsystem, kind, value) for s in subjects for kind, value in s.own)
    return {identifier for identifier, count in counts.items() if count > 1}


def _still_fits(subject: Subject, former: str) -> bool:
    """Whether no own identifier of the kind it was published under is read with another value."""
    kind = former.split("/")[1] if "/" in former else ""
    values = [identity_of(subject.subsystem, k, v) for k, v in subject.own if k == kind]
    return not values or former in values


def _fresh(subject: Subject, shared: set[tuple[str, str, str]], above: Mapping[str, str], named: set[str]) -> str:
    if subject.subsystem == COMPUTER:
        return COMPUTER
    for kind, value in subject.own:
        if (subject.subsystem, kind, value) not in shared:
            return identity_of(subject.subsystem, kind, value)
    below = subject.parent if subject.parent in named else None
    place = place_of(subject.path, below, above.get(below) if below is not None else None)
    return identity_of(subject.subsystem, "place", place)


def _unlike(identity: str, taken: set[str]) -> str:
    """The identity, or with `~2`, `~3` where a device has it already."""
    number, candidate = 1, identity
    while candidate in taken:
        number += 1
        candidate = f"{identity}~{number}"
    return candidate
