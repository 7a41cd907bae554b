"""What a device *is* within its host, across reboots and renumbering: `<subsystem>/<kind>/<value>`.

Pure: (all devices seen, identities they were published under) → identities. Nothing here reads the system. The rules
are those of docs/protocol.md, "Identity"; tests/unit/test_identity.py has a line for each.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from hwcensus.device import Device, Part
from hwcensus.fact import Fact, facts_of
from hwcensus.names import COMPUTER

#: Subsystem → the kinds of identifier by which a device of it is known, the most telling first. All others have none.
OWN_KINDS: Mapping[str, tuple[str, ...]] = {
    "net": ("mac",),
    "scsi": ("wwpn",),
    "block": ("wwid", "serial", "guid"),
    "scsi_tape": ("wwid", "serial"),
    "nvme": ("serial",),
    "usb": ("serial",),
}

#: What the kernel deals by number, and what is left of it in a place. Tried in order on each path component.
_DEALT: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), left)
    for pattern, left in (
        (r"rport-\d+:(\d+)-\d+", r"rport-:\1"),
        (r"(end_device|expander|phy|port)-\d+:(\d+(?::\d+)*)", r"\1-:\2"),
        (r"vport-\d+:(\d+)-\d+", r"vport-:\1"),
        (r"target\d+:(\d+:\d+)", r"target:\1"),
        (r"\d+:(\d+:\d+:\d+)", r":\1"),
        (r"nvme\d+(?:c\d+)?n(\d+)(?:p(\d+))?", r"nvme:n\1:p\2"),
        (r"(?:cciss!)?c\d+(d\d+(?:p\d+)?)", r"\1"),
        (r"(session|ctlr_|nvme-subsys|bcache|cciss)\d+", r"\1"),
        (r"(host|ata|link|dev|input|event|mouse|js|card|nvme|usb|virtio|sr|sg|st|phy|mmc|mmcblk|dm-)\d+", r"\1"),
        (r"(hci|rtc|tpm|watchdog|hwmon|video|vbi|radio|lp|controlD|renderD|tty[A-Z]+)\d+", r"\1"),
        (r"((?:control|pcm|hw|midi|compr)C)\d+(D\d+[pc]?)?", r"\1\2"),
        (r"(sd|vd|xvd|hd)[a-z]+(\d*)", r"\1\2"),
        (r"mmcblk\d+p(\d+)", r"mmcblk:p\1"),
        (r"mmc\d+:[0-9a-f]+", r"mmc:"),
        (r"\d+-(\d+(?:\.\d+)*(?::\d+\.\d+)?)", r"-\1"),
        (r"([0-9A-F]{4}:[0-9A-F]{4}:[0-9A-F]{4})\.[0-9A-F]{4}", r"\1"),
    )
)

#: Serials that makers write where there is none (libvirt, dmidecode and fwupd keep such lists).
_BOGUS = re.compile(
    r"none|n/?a|null|default|default string|unknown|invalid|empty|oem|not (?:available|applicable|specified|present)"
    r"|to be filled by o\.?e\.?m\.?|system serial number|serial|0123456789(?:abcdef)?|123456789.?|(.)\1*"
    r"|(?:\w+_)?sernum\d*|[a-z]*sn12345678901234567|(?:base board|chassis) serial number"
    r"|(?:naa|eui)\.0+"
    r"|0{8}(?:-0{4}){3}-0{12}|f{8}(?:-f{4}){3}-f{12}|03000200-0400-0500-0006-000700080009",
    re.IGNORECASE,
)


#: A World Wide Name: NAA 1, 2 or 5, or C to F for a mapped EUI-64 (FC-FS-2).
_WWN = re.compile(r"(?!f{16})[125c-f][0-9a-f]{15}")


@dataclass(frozen=True, kw_only=True)
class Subject:
    """One device as far as its identity goes."""

    #: Resolved sysfs path: while it stays, the device has stayed.
    path: str
    subsystem: str
    #: (kind, value) of its own identifiers, the most telling first (`own_identifiers`).
    own: Sequence[tuple[str, str]] = ()


def is_bogus(value: str) -> bool:
    """Whether a serial is one of those that say nothing: a fact still, but not an identifier."""
    return len(value.strip()) < 2 or _BOGUS.fullmatch(value.strip()) is not None


def identifies(kind: str, value: str) -> bool:
    """Whether a value tells one thing of its kind from all others."""
    return _WWN.fullmatch(value) is not None if kind in {"wwpn", "wwnn"} else not is_bogus(value)


def own_identifiers(device: Device, subsystem: str) -> tuple[tuple[str, str], ...]:
    """(kind, value) of the identifiers that may be a device's identity, the most telling first; bogus ones left out."""
    kinds = OWN_KINDS.get(subsystem, ())
    found: dict[str, str] = {}
    for part in device.parts():
        for fact in facts_of(type(part)):
            kind = fact.identifier if fact.own else None
            kind = kind or fact.local_identifier
            value = _identifying(part, fact, kind) if kind is not None and kind in kinds else None
            if kind is not None and value is not None:
                found.setdefault(kind, value)
    return tuple((kind, found[kind]) for kind in kinds if kind in found)


def may_still_be(device: Device, former: Device, subsystem: str, identity: str) -> bool:
    """Whether a device whose identifier cannot be read may be the one that was published under it.

    So it is where the fact is unread that would tell, and no identifier that both show contradicts.
    """
    kind = identity.split("/")[1] if "/" in identity else ""
    shown = dict(own_identifiers(device, subsystem))
    if kind in shown or kind not in _unread_kinds(device):
        return False
    return all(shown.get(kind, value) == value for kind, value in own_identifiers(former, subsystem))


def _unread_kinds(device: Device) -> set[str | None]:
    unread = frozenset((device.state.unread or "").split()) if device.state is not None else frozenset()
    found = set()
    for part in device.parts():
        fields = {fact.field for fact in facts_of(type(part)) if f"{part.type_}.{fact.label}" in unread}
        found |= {
            fact.identifier or fact.local_identifier
            for fact in facts_of(type(part))
            if not fields.isdisjoint({fact.field, *fact.beside})
        }
    return found


def _identifying(part: Part, fact: Fact, kind: str) -> str | None:
    """The fact's value, with those it is unique beside; None where it identifies nothing."""
    value: object = getattr(part, fact.field)
    if (
        value is None
        or not identifies(kind, str(value))
        or (fact.own_if is not None and not getattr(part, fact.own_if))
    ):
        return None
    beside = [getattr(part, field) for field in fact.beside]
    return None if None in beside else ":".join(map(str, [*beside, value]))


def identity_of(subsystem: str, kind: str, value: str) -> str:
    """The identity as it is written, bytes outside `[A-Za-z0-9._:-]` percent-encoded."""
    return f"{quote(subsystem, safe=':')}/{kind}/{quote(value, safe=':', errors='surrogateescape').replace('~', '%7E')}"


def is_place(identity: str) -> bool:
    """Whether an identity tells where the device is, rather than which it is."""
    return identity == COMPUTER or identity.split("/")[1] == "place"


def reduce_component(component: str) -> str:
    """A path component without the numbers that the kernel dealt."""
    for pattern, left in _DEALT:
        if match := pattern.fullmatch(component):
            return match.expand(left)
    return component


def place_of(path: str, below: str | None = None, below_identity: str | None = None) -> str:
    """The reduced components of a sysfs path; below a device with an own identifier they start from its identity.

    A component that begins with the kernel's name of that device loses it too: `sda1` of the disk `sda` is its `1`.
    """
    if below is not None and below_identity is not None:
        relative = path[len(below) + 1 :].removeprefix(below.rpartition("/")[2])
        return "/".join([below_identity, *map(reduce_component, _without_dealt_name(path, relative.split("/")))])
    parts = path.removeprefix("/sys/").removeprefix("devices/").split("/")
    return "/".join(map(reduce_component, _without_dealt_name(path, parts)))


def _without_dealt_name(path: str, parts: list[str]) -> list[str]:
    """The name of a hardware interface is dealt, or given by udev; that of a software one is all there is of it."""
    is_dealt = parts[-2:-1] in (["net"], ["infiniband"]) and not path.startswith("/sys/devices/virtual/")
    return parts[:-1] if is_dealt else parts


def assign_identities(
    subjects: Iterable[Subject],
    known: Mapping[str, str],
    present: Mapping[str, str] | None = None,
    elsewhere: Collection[tuple[str, str, str]] = (),
) -> dict[str, str]:
    """The identity of every subject, by sysfs path.

    `known` are the identities under which devices that stayed present were published. Of the other devices of the
    host, which were not looked at anew and keep theirs, `present` are path and identity, and `elsewhere` are those of
    the subjects' identifiers (subsystem, kind, value) that they have too.
    """
    ordered = sorted(subjects, key=lambda subject: _natural(subject.path))
    settled = dict(present or {})
    settled |= {s.path: known[s.path] for s in ordered if s.path in known and _still_fits(s, known[s.path])}
    taken = set(settled.values())
    shared = _shared(ordered).union(elsewhere)
    numbers: dict[str, int] = {}
    for subject in ordered:
        if subject.path not in settled:
            identity = _unlike(_fresh(subject, shared, taken, settled), taken, numbers)
            taken.add(identity)
            settled[subject.path] = identity
    return {subject.path: settled[subject.path] for subject in ordered}


def _natural(path: str) -> list[tuple[int, str]]:
    """Sorts host2 before host10, so that `~2`, `~3` follow the kernel's numbers, and parents before children."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", path)]


def _shared(subjects: Iterable[Subject]) -> set[tuple[str, str, str]]:
    counts = Counter((s.subsystem, kind, value) for s in subjects for kind, value in s.own)
    return {identifier for identifier, count in counts.items() if count > 1}


def _still_fits(subject: Subject, former: str) -> bool:
    """Whether no own identifier of the kind it was published under is read with another value."""
    kind = former.split("/")[1] if "/" in former else ""
    values = [identity_of(subject.subsystem, k, v) for k, v in subject.own if k == kind]
    return not values or former in values


def _fresh(subject: Subject, shared: set[tuple[str, str, str]], taken: set[str], settled: Mapping[str, str]) -> str:
    if subject.subsystem == COMPUTER:
        return COMPUTER
    for kind, value in subject.own:
        identity = identity_of(subject.subsystem, kind, value)
        if (subject.subsystem, kind, value) not in shared and identity not in taken:
            return identity
    below = _named_ancestor(subject.path, settled)
    place = place_of(subject.path, below, None if below is None else settled[below])
    return identity_of(subject.subsystem, "place", place)


def _named_ancestor(path: str, settled: Mapping[str, str]) -> str | None:
    """The nearest device above that is known by an identifier of its own."""
    above = path.rpartition("/")[0]
    while above:
        if above in settled and not is_place(settled[above]):
            return above
        above = above.rpartition("/")[0]
    return None


def _unlike(identity: str, taken: set[str], numbers: dict[str, int]) -> str:
    """The identity, or with `~2`, `~3` where a device has it already. `numbers` are those given last."""
    number, candidate = numbers.get(identity, 1), identity
    while candidate in taken:
        number += 1
        candidate = f"{identity}~{number}"
    numbers[identity] = number
    return candidate
