"""What this host wants whatever happens: its persistent virtual Fibre Channel ports, in a file beside the spool.

Keyed by the adapter's WWPN, since the kernel deals hostN anew at every boot. The file is this host's: on the disk of a
clone it says nothing, or two hosts would log in under one name. Who makes wanted ports again is `commands/keeper.py`.
"""

import json
import logging
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from hwcensus.instant import now
from hwcensus.whole_file import write_whole

logger = logging.getLogger(__name__)

FORMAT = 1
#: Bytes of a file that is read, and ports that are kept: far more than adapters take (255 each).
MAX_BYTES, MAX_WISHES = 1 << 20, 4096
_WWN = re.compile(r"[0-9a-f]{16}")
_ID = re.compile(r"\S{1,64}")


@dataclass(frozen=True, kw_only=True)
class Wish:
    """A virtual port that is wanted on an adapter, and the command that wanted it."""

    parent: str
    wwpn: str
    wwnn: str
    command: str


class TooMany(OSError):
    """no more ports are kept"""


class Desired:
    """The wishes of one host. What is changed is on disk when the method returns."""

    def __init__(self, path: Path, host: str, *, only_looks: bool = False) -> None:
        """Reads the file; of one that is another host's nothing, and one that nobody can read is set aside, unless this
        `only_looks`."""
        self._path, self.host, self._only_looks = path, host, only_looks
        #: Called with the WWPN of an adapter whose wishes are others now.
        self.on_change: Callable[[str], None] = lambda _: None
        # Exchanged as a whole, never changed: looks read it in threads of their own.
        self._wishes: Mapping[str, Wish] = {wish.wwpn: wish for wish in self._read()}

    def __iter__(self) -> Iterator[Wish]:
        return iter(self._wishes.values())

    def of(self, parent: str) -> tuple[str, ...]:
        """The WWPNs that are wanted on the adapter of this WWPN, sorted."""
        return tuple(sorted(wish.wwpn for wish in self._wishes.values() if wish.parent == parent))

    def get(self, wwpn: str) -> Wish | None:
        """The wish for a port."""
        return self._wishes.get(wwpn)

    def add(self, wish: Wish) -> None:
        """From now on wanted; also again. Raises OSError, and then it is not."""
        if len({*self._wishes, wish.wwpn}) > MAX_WISHES:
            raise TooMany(f"{MAX_WISHES} ports are wanted already")
        self._write({**self._wishes, wish.wwpn: wish})
        self.on_change(wish.parent)

    def drop(self, wwpn: str) -> None:
        """Not wanted any more; also where it was not. Raises OSError, and then it still is."""
        if wwpn in self._wishes:
            parent = self._wishes[wwpn].parent
            self._write({name: wish for name, wish in self._wishes.items() if name != wwpn})
            self.on_change(parent)

    def _write(self, wishes: Mapping[str, Wish]) -> None:
        content = {"format": FORMAT, "host": self.host, "vports": [asdict(wish) for wish in wishes.values()]}
        write_whole(self._path, json.dumps(content, indent=1).encode() + b"\n")
        self._wishes = wishes

    def _read(self) -> Collection[Wish]:
        try:
            with self._path.open("rb") as stream:
                content = json.loads(stream.read(MAX_BYTES + 1)[:MAX_BYTES])
            if content["format"] != FORMAT:
                raise ValueError(f"format {content['format']!r} is not {FORMAT}")
            if content["host"] != self.host:
                logger.warning("the wanted ports are another host's", extra={"file": self._path, "of": content["host"]})
                return ()
            return list(_wishes(content["vports"][:MAX_WISHES]))
        except FileNotFoundError:
            return ()
        except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
            self._set_aside(error)
            return ()

    def _set_aside(self, error: Exception) -> None:
        if self._only_looks:
            logger.warning("what this host wants cannot be read", extra={"file": self._path, "why": repr(error)})
            return
        aside = self._path.with_name(f"{self._path.name}.set-aside-{now():%Y%m%dT%H%M%S}")
        facts = {"file": str(aside), "why": repr(error)}
        logger.error("what this host wants cannot be read: set aside, no port is made again", extra=facts)
        try:
            self._path.rename(aside)
        except OSError:
            logger.exception("it cannot be set aside either")


def _wishes(told: Collection[Mapping[str, object]]) -> Iterator[Wish]:
    for one in told:
        try:
            yield _wish(one)
        except (ValueError, LookupError, TypeError) as error:
            logger.error("one of the wanted ports cannot be read: it is not made again", extra={"why": repr(error)})


def _wish(told: Mapping[str, object]) -> Wish:
    """Raises ValueError, LookupError, TypeError."""
    fields = {name: str(told[name]) for name in ("parent", "wwpn", "wwnn", "command")}
    wrong = [name for name in ("parent", "wwpn", "wwnn") if not _WWN.fullmatch(fields[name])]
    if wrong or not _ID.fullmatch(fields["command"]):
        raise ValueError(f"{', '.join(wrong) or 'command'} of {fields} cannot be")
    return Wish(**fields)
