"""What rtnetlink and drivers said in the lab, and a made sysfs whose links they are."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from hwcensus_agent.ethtool import Ethtool
from hwcensus_agent.hal.device import HalDevice
from hwcensus_agent.host import HostView
from hwcensus_agent.netlink.link import parse_link
from hwcensus_agent.view import View


def _lines(name: str) -> Iterator[list[str]]:
    for line in Path(__file__).with_name(name).read_text(encoding="ascii").splitlines():
        if not line.startswith("#"):
            yield line.split()


#: Name → body of its RTM_NEWLINK.
BODIES = {name: bytes.fromhex(body) for name, body in _lines("recorded_links.txt")}
LINKS = {name: parse_link(body) for name, body in BODIES.items()}
#: Name and command → answer; of the command for strings the name is `*`.
ANSWERS = {(name, int(command)): bytes.fromhex(answer) for name, command, answer in _lines("recorded_ethtool.txt")}


class RecordedEthtool(Ethtool):
    """Asks a recorded driver."""

    def _ask(self, request: bytes) -> bytes | None:
        command, name = int.from_bytes(request[:4], "little"), self._name.decode()
        return ANSWERS.get((name, command)) or (ANSWERS.get(("*", command)) if (name, 55) in ANSWERS else None)


class LinkedHost(HostView):
    """A host whose links were recorded: those that its sysfs has."""

    def __init__(self, sysroot: str = "/sys", hal: Mapping[str, HalDevice] | None = None) -> None:
        super().__init__(sysroot, hal)
        self.live = True
        folder = Path(self.root) / "class/net"
        self._links = {name: link for name, link in LINKS.items() if (folder / name).exists()}

    def ethtool(self, view: View) -> Ethtool | None:
        link = self.link(view)
        return None if link is None else RecordedEthtool(link.name)
