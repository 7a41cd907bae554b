"""From sysfs to the host's devices: described, named, with their parents and identities.

It looks when it is asked to, at the whole host or at some paths, and compares nothing with what was there before. How
one device is described is in `describe/`, who is who in `hwcensus.names` and `hwcensus.identity`.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from lxml import etree

from hwcensus import codec
from hwcensus.device import Device
from hwcensus.identity import Subject, assign_identities, identity_of, may_still_be, own_identifiers, place_of
from hwcensus.names import COMPUTER, assign_names
from hwcensus_agent import board, sysfs
from hwcensus_agent.arrivals import Arrivals
from hwcensus_agent.bounded import Bounded
from hwcensus_agent.carry import carry_over, stayed, without_empty_states
from hwcensus_agent.describe import is_candidate
from hwcensus_agent.describe.feeding import FEEDS, fed_by
from hwcensus_agent.hal.device import DEVICES
from hwcensus_agent.hal.devices import HalDevices
from hwcensus_agent.host import HostView, above, key_of, path_of
from hwcensus_agent.identifiers import Holders
from hwcensus_agent.sighting import Undescribed, describe_one
from hwcensus_agent.sources.walk import NoSysfs, walk
from hwcensus_agent.sysfs import Unreadable
from hwcensus_agent.view import View

#: Seconds that describing one device may take.
READ_LIMIT_S = 5.0

#: A device as it was published last, by identity; None where it was not.
Former = Callable[[str], Device | None]


@dataclass(frozen=True, kw_only=True)
class Described:
    """One device of the host."""

    identity: str
    device: Device
    subsystem: str
    #: Its sysfs path as text; the computer's is the folder of all devices.
    path: str
    source: str = "udev"

    @property
    def name(self) -> str:
        return self.device.name

    @property
    def key(self) -> str:
        """As the document has it: the path, or HAL's udi."""
        return self.device.key or ""

    @property
    def element(self) -> etree._Element:
        """The `<device>` element, made anew: who takes it apart takes nobody else's."""
        return codec.write_device(self.device)


@dataclass(frozen=True, kw_only=True)
class Enumeration:
    """What one look found."""

    #: Parents before their children.
    devices: tuple[Described, ...]
    #: Keys that were looked at, relatives included; None for the whole host. What is not in `devices` is gone.
    paths: frozenset[str] | None
    #: Keys of known devices that are there all the same, but can neither be described nor taken as they were told:
    #: another version of this agent told them, with facts that we do not know.
    untold: frozenset[str] = frozenset()


def _not_published(_: str) -> Device | None:
    return None


@dataclass(frozen=True, kw_only=True)
class _Known:
    """What is known of devices before a look: identity and name by key, and what was published, by identity."""

    identities: Mapping[str, str] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    former: Former = _not_published
    #: Place → identity before the host was started anew, where one device alone was at such a place.
    of_old: Mapping[str, str] = field(default_factory=dict)


def enumerate_host(*, sysroot: str = "/sys", include: Collection[str] = ()) -> Enumeration:
    """One look at a whole host. Raises NoSysfs, OSError where it cannot be listed."""
    return Enumerator(sysroot, include).everything()


class Enumerator:
    """Looks at one host, again and again. It remembers which device has which identifier, and nothing else."""

    def __init__(
        self,
        sysroot: str = "/sys",
        include: Collection[str] = (),
        hal: HalDevices | None = None,
        read_limit: float = READ_LIMIT_S,
    ) -> None:
        """`include`: further subsystems, or kinds of one such as `net:veth`; `hal`: what hald says, where it leads.

        `read_limit`: seconds that describing one device may take.
        """
        self._sysroot, self._hal = sysroot, hal
        self._bounded = Bounded(read_limit)
        #: What the host is to say of its wishes.
        self.wanted: Callable[[str], tuple[str, ...]] = lambda _: ()
        self._include = frozenset(include)
        self._holders = Holders()
        self._arrivals = Arrivals()

    def everything(
        self,
        identities: Mapping[str, str] | None = None,
        names: Mapping[str, str] | None = None,
        former: Former = _not_published,
        of_old: Mapping[str, str] | None = None,
    ) -> Enumeration:
        """The whole host, given identities and names of known devices, by key.

        `of_old` are identities by key from before the host was started anew. They say nothing about who is who, but
        for a device whose identifiers cannot be read now: it is not taken for another one because of that.

        Raises NoSysfs, OSError where it cannot be listed: a cut listing is never taken for a whole one.
        """
        host = self._host()
        found = {path: subsystem for path, subsystem in self._list(host) if self._is_candidate(subsystem)}
        found |= board.parts(host, map(path_of, identities or ()))
        found[DEVICES] = COMPUTER
        self._holders.clear()
        keys = frozenset(map(key_of, found))
        known = _Known(
            identities=_only(identities or {}, keys), names=_only(names or {}, keys), former=former,
            of_old=_by_place(of_old or {}),
        )  # fmt: skip
        return self._look(host, found, known, _Known(), None)

    def some(
        self,
        paths: Collection[str],
        identities: Mapping[str, str],
        names: Mapping[str, str],
        former: Former = _not_published,
    ) -> Enumeration:
        """The devices at these keys and the relatives that change with them, given all known devices.

        A device that is new to us and not yet whole is left out (`awaited`, or udev tells when it has finished it).
        """
        host = self._host()
        self._arrivals.keep(lambda key: key not in names and host.is_there(key))
        wanted = frozenset(self._with_relatives(host, paths, names))
        found = {path: self._subsystem(host, path) for path in map(path_of, wanted)}
        known = _Known(identities=identities, names=names, former=former)
        others = _Known(identities=_without(identities, wanted), names=_without(names, wanted))
        self._holders.forget(wanted)
        candidates = {path: subsystem for path, subsystem in found.items() if self._is_candidate(subsystem)}
        looked = self._look(host, candidates, known, others, wanted)
        left = names.keys() & wanted - {one.path for one in looked.devices} - looked.untold
        if left and (below := {key for key in names.keys() - wanted if not left.isdisjoint(above(key))}):
            # One left the census and is there still, such as a loop device without its file: those below may be gone.
            return self.some(wanted | below, identities, names, former)
        return looked

    def _host(self) -> HostView:
        host = HostView(self._sysroot, None if self._hal is None else self._hal.by_path)
        host.wanted = self.wanted
        return host

    def _list(self, host: HostView) -> Iterator[tuple[str, str]]:
        """Path and subsystem of all that there is: sysfs knows, where it is in reach, whoever leads."""
        if host.has_sysfs:
            yield from ((one.syspath, one.subsystem) for one in walk(self._sysroot))
        elif not host.hal:
            raise NoSysfs("neither sysfs nor hald tells of any device")
        else:
            yield from ((path, device.kind[0]) for path, device in host.hal.items())

    def _with_relatives(self, host: HostView, keys: Collection[str], names: Mapping[str, str]) -> set[str]:
        """The keys, and those of devices that are described otherwise when these came, changed or went."""
        wanted = set(keys)
        came = {key for key in keys if key not in names and self._is_candidate(self._subsystem(host, path_of(key)))}
        gone = {key for key in keys if key in names and not host.is_there(key)}
        for key in keys:
            wanted.update(map(key_of, fed_by(host, path_of(key))))
        for key in came:  # it can be named now by what it is linked with
            wanted |= _linked(host, key)
        # Those below get another parent, or are gone too.
        return wanted | _namesakes(host, came, names) | _below(came | gone, names)

    def _subsystem(self, host: HostView, path: str) -> str:
        return COMPUTER if path == DEVICES else host.subsystem(path)

    def concerns(self, subsystem: str) -> bool:
        """Whether devices of this subsystem are described, or feed those that are."""
        return subsystem in FEEDS or self._is_candidate(subsystem)

    def answered(self) -> list[str]:
        """Keys of the devices that did not answer in time and do again. Told once."""
        return [key_of(path) for path in self._bounded.answered()]

    def awaited(self) -> list[str]:
        """Keys of the devices that are left out for a short time only, and are to be looked at again after it."""
        return self._arrivals.awaited()

    def _is_candidate(self, subsystem: str) -> bool:
        return subsystem == COMPUTER or is_candidate(subsystem, self._include)

    def _look(
        self, host: HostView, found: Mapping[str, str], known: _Known, others: _Known, looked_at: frozenset[str] | None
    ) -> Enumeration:
        """Describes what was found; `others` are the known devices that are not looked at."""
        paths = sorted(found, key=_parents_first)
        subjects = [(key_of(path), found[path], host.view(path, found[path]).kernel_name) for path in paths]
        names = assign_names([subject for subject in subjects if subject[1] != COMPUTER], known.names, others.names)
        names[DEVICES] = COMPUTER
        host.names = {**others.names, **names}

        def describe(view: View) -> Device | None:
            key = key_of(view.syspath)
            if looked_at is not None and key not in known.names and self._arrivals.leaves_out(key, view):
                return None
            return describe_one(view, host, names[key], self._include)

        devices: dict[str, tuple[str, Device]] = {}
        untold: set[str] = set()
        outcomes = self._bounded.describe(paths, lambda path: host.view(path, found[path]), describe)
        for path, (key, subsystem, _), outcome in zip(paths, subjects, outcomes, strict=True):
            if isinstance(outcome, Undescribed):
                kept = known.former(known.identities.get(key) or known.of_old.get(place_of(key), ""))
                device = None if kept is None else stayed(
                    kept, outcome.unread, name=names[key], key=host.device_key(path)
                )  # fmt: skip
            else:
                device = outcome
            if device is not None:
                devices[key] = (subsystem, device)
            elif isinstance(outcome, Undescribed) and key in known.identities:
                untold.add(key)
        placed = self._placed(host, devices, known, others)
        return Enumeration(devices=placed, paths=looked_at, untold=frozenset(untold))

    def _placed(
        self, host: HostView, devices: Mapping[str, tuple[str, Device]], known: _Known, others: _Known
    ) -> tuple[Described, ...]:
        """With their parents and identities, which need all devices of the host."""
        subjects = [
            Subject(path=key, subsystem=subsystem, own=own_identifiers(device, subsystem))
            for key, (subsystem, device) in devices.items()
        ]
        self._holders.learn(subjects)
        who = {**known.identities, **_taken_for(devices, subjects, known)}
        identities = self._identities(host, subjects, who, dict(others.identities))
        parents = {**others.names, **{key: device.name for key, (_, device) in devices.items()}}
        return tuple(
            Described(
                identity=identities[key],
                device=_completed(device, identities[key], known.former).with_parent(_parent(key, parents)),
                subsystem=subsystem,
                path=key,
            )
            for key, (subsystem, device) in devices.items()
        )

    def _identities(
        self, host: HostView, subjects: list[Subject], known: Mapping[str, str], present: dict[str, str]
    ) -> dict[str, str]:
        """Who is who. What another device is said to hold counts only if that one is there still: the hint that it
        went may be on its way (a stick moved to another port, a host scanned anew)."""
        looked = {subject.path for subject in subjects}
        elsewhere = {
            identifier: [key for key in self._holders.of(identifier) - looked if host.is_there(key)]
            for subject in subjects
            for identifier in Holders.identifiers(subject)
        }
        held = {identifier for identifier, keys in elsewhere.items() if keys}
        identities = assign_identities(subjects, known, present, held)
        gone = _gone(host, subjects, identities, present)
        for key in gone:
            del present[key]
        return assign_identities(subjects, known, present, held) if gone else identities


def _gone(
    host: HostView, subjects: Iterable[Subject], identities: Mapping[str, str], present: Mapping[str, str]
) -> list[str]:
    """Keys of devices that hold an identity wanted by a subject, and are not there any more."""
    wanted = {identity_of(subject.subsystem, kind, value) for subject in subjects for kind, value in subject.own}
    wanted |= {identity.partition("~")[0] for identity in identities.values() if "~" in identity}
    return [key for key, identity in present.items() if identity in wanted and not host.is_there(key)]


def _by_place(identities: Mapping[str, str]) -> dict[str, str]:
    places = Counter(map(place_of, identities))
    return {place_of(key): identity for key, identity in identities.items() if places[place_of(key)] == 1}


def _taken_for(devices: Mapping[str, tuple[str, Device]], subjects: Iterable[Subject], known: _Known) -> dict[str, str]:
    """Key → identity of devices at the place of a former one, whose identifier is unread now and shown by nobody."""
    if not known.of_old:
        return {}
    shown = {identity_of(subject.subsystem, kind, value) for subject in subjects for kind, value in subject.own}
    taken: dict[str, str] = {}
    for key, (subsystem, device) in devices.items():
        identity = known.of_old.get(place_of(key))
        if device.state is None or key in known.identities or identity is None or identity in shown:
            continue
        former = known.former(identity)
        if former is not None and may_still_be(device, former, subsystem, identity):
            taken[key] = identity
    return taken


def _completed(device: Device, identity: str, former: Former) -> Device:
    """With the last published values of facts that could not be read now."""
    if device.state is None:
        return device
    kept = former(identity)
    return without_empty_states(device if kept is None else carry_over(kept, device))


def _parents_first(path: str) -> tuple[bool, str]:
    """All are below the computer, those too that old kernels keep elsewhere than in /sys/devices."""
    return path != DEVICES, path


def _parent(key: str, names: Mapping[str, str]) -> str | None:
    """The name of the nearest ancestor that is in the census."""
    if key == DEVICES:
        return None
    return next((names[one] for one in above(key) if one in names), COMPUTER)


def _below(keys: Collection[str], names: Iterable[str]) -> set[str]:
    """Those of the names that are keys of devices below one of `keys`."""
    ordered = sorted(names) if keys else []
    spans = ((bisect_left(ordered, f"{key}/"), bisect_left(ordered, f"{key}0")) for key in keys)  # 0 comes after /
    return {one for begin, end in spans for one in ordered[begin:end]}


def _namesakes(host: HostView, keys: Iterable[str], names: Iterable[str]) -> set[str]:
    """Keys of known devices that are gone and had the kernel's name of one of these, which it deals again. Not those of
    interfaces: one may have been renamed from there, and its own hint says so."""
    split = (key.rpartition("/") for key in keys)
    dealt = {name for folder, _, name in split if not folder.endswith("/net")}
    return {key for key in names if key.rpartition("/")[2] in dealt and not host.is_there(key)} if dealt else set()


def _linked(host: HostView, key: str) -> set[str]:
    """The interfaces above and below an interface: bridge and port, VLAN and what it is on."""
    if "/net/" not in key:
        return set()
    folder = host.folder(path_of(key))
    try:
        links = [*sysfs.children(folder, "upper_"), *sysfs.children(folder, "lower_")]
    except Unreadable:
        return set()
    targets = (sysfs.target(f"{folder}/{link}", host.root) for link in links)
    return {key_of(found) for found in targets if found is not None}


def _only(mapping: Mapping[str, str], keys: Collection[str]) -> dict[str, str]:
    return {key: value for key, value in mapping.items() if key in keys}


def _without(mapping: Mapping[str, str], keys: Collection[str]) -> dict[str, str]:
    return {key: value for key, value in mapping.items() if key not in keys}
