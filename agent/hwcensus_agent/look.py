"""A look at this host as the census takes it: devices with their digests, and which paths the look covered."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from hwcensus import codec, document
from hwcensus.device import Device
from hwcensus.errors import InvalidDocument
from hwcensus_agent.arrivals import PORT_WAIT_S
from hwcensus_agent.enumerate import Enumerator
from hwcensus_agent.hal.devices import HalDevices
from hwcensus_agent.news import Sight
from hwcensus_agent.settings import CensusSettings
from hwcensus_agent.sources import Action, Hint


@dataclass(frozen=True, kw_only=True)
class Looked:
    """What was there, parents first, of the sysfs paths that were looked at; `paths` is None for the whole host."""

    seen: tuple[Sight, ...]
    paths: frozenset[str] | None
    #: Paths of known devices that are there, and of which nothing can be told.
    untold: frozenset[str] = frozenset()


class HostLook:
    """Looks at the host of one sysfs, again and again; blocks, so it belongs in a worker thread."""

    def __init__(self, settings: CensusSettings) -> None:
        #: What hald says, where it leads; its source fills it.
        self.hal = HalDevices()
        self._enumerator = Enumerator(settings.sysroot, settings.include, self.hal, settings.read_limit_s)

    def __call__(
        self,
        paths: frozenset[str] | None = None,
        identities: Mapping[str, str] | None = None,
        names: Mapping[str, str] | None = None,
        former: Callable[[str], Sight | None] = lambda _: None,
        of_old: Mapping[str, str] | None = None,
    ) -> Looked:
        """Looks at `paths` and what changes with them, given what known devices are called, by path.

        `former` gives a device as it was last told, for facts that cannot be read now; `of_old` are identities by path
        from before the host was started anew. Raises OSError where the host
        cannot be listed.
        """

        def before(identity: str) -> Device | None:
            sight = former(identity)
            try:
                return None if sight is None else codec.read_device(document.parse(sight.xml))
            except InvalidDocument:
                return None  # another version of this agent told it, with facts that we do not know

        if paths is None:
            found = self._enumerator.everything(identities, names, before, of_old)
        else:
            found = self._enumerator.some(paths, identities or {}, names or {}, before)
        seen = tuple(Sight.of(one.identity, one.element, one.path) for one in found.devices)
        return Looked(seen=seen, paths=found.paths, untold=found.untold)

    def concerns(self, hint: Hint) -> bool:
        """Whether what is hinted at is in the census, or changes what is; what moves may have devices below it."""
        return hint.subsystem is None or hint.action is Action.MOVE or self._enumerator.concerns(hint.subsystem)

    def shows(self, wanted: Callable[[str], tuple[str, ...]]) -> None:
        """From now on adapters show which virtual ports are wanted on them."""
        self._enumerator.wanted = wanted

    def answered(self) -> list[str]:
        """Paths of the devices that did not answer in time and do again. Told once."""
        return self._enumerator.answered()

    def awaited(self) -> list[str]:
        """Paths of the devices that are left out for a short time only, and are to be looked at again after it."""
        return self._enumerator.awaited()

    def remind(self, on_hint: Callable[[Hint], None]) -> None:
        """After a look: hints at these when their time has come."""
        for path in self.awaited():
            again = Hint(source="clock", action=Action.RECHECK, syspath=path)
            asyncio.get_running_loop().call_later(PORT_WAIT_S, on_hint, again)
