"""Sound cards and their ALSA nodes. Nodes of the older OSS are twins of these, sequencer and timer are no hardware:
both stay out. Names of cards and PCMs are in /proc alone (Documentation/sound/designs/procfile.rst).
"""

import re
from pathlib import Path

from hwcensus.classes.sound import Alsa, Sound
from hwcensus.fact import printable
from hwcensus_agent import sysfs
from hwcensus_agent.describe.description import Description
from hwcensus_agent.describe.facts import Facts, first, hal, number_in_name, text, worked_out
from hwcensus_agent.host import HostView
from hwcensus_agent.view import View

PROC = Path("/proc/asound")

#: The kernel's names of a card and of ALSA's nodes: kind, card, device, direction.
NAME = r"(?:(card)|(?:(control|pcm|hw|midi|compr)C))(\d+)(?:D(\d+)([pc]?))?"
TYPES = {"p": "playback", "c": "capture", "hw": "hw_specific", "compr": "compress"}


def _proc(host: HostView, name: str) -> str:
    """What the running kernel's sound system says; at most a page."""
    raw = sysfs.read(str(PROC / name)) if host.live else None
    return "\n".join(printable(line) for line in (raw or b"").splitlines())


@worked_out(kernel="/proc/asound/cards")
def card_name(view: View, host: HostView) -> str | None:
    card = re.fullmatch(NAME, view.kernel_name)
    known = {found[1]: found[2] for found in re.finditer(r"^ *(\d+) \[.*?\]: .*? - (.+)$", _proc(host, "cards"), re.M)}
    return None if card is None else known.get(card[3])


@worked_out(kernel="/proc/asound/cardN/pcmNp/info")
def pcm_id(view: View, host: HostView) -> str | None:
    found = re.fullmatch(r"pcmC(\d+)D(\d+)([pc])", view.kernel_name)
    said = "" if found is None else _proc(host, f"card{found[1]}/pcm{found[2]}{found[3]}/info")
    name = re.search(r"^id: (.+)$", said, re.M)
    return None if name is None else name[1]


@worked_out(path="the kernel's name")
def type_(view: View, _: HostView) -> str | None:
    found = re.fullmatch(NAME, view.kernel_name)
    kind = None if found is None else found[5] or found[2]
    return None if kind is None else TYPES.get(kind, kind)


SOUND = Facts(
    Sound,
    card=number_in_name(NAME, 3),
    id=first(text("id"), text("device/id")),
    name=first(card_name, hal("sound.card_id"), hal("alsa.card_id")),
)

ALSA = Facts(
    Alsa,
    type=type_,
    device=number_in_name(NAME, 4),
    id=first(pcm_id, hal("alsa.device_id")),
    pcm_class=first(text("pcm_class"), hal("alsa.pcm_class")),
)


def describe(view: View, host: HostView) -> Description | None:
    found = SOUND.of(view, host, nested=(ALSA.of(view, host),))
    return None if found is None else Description(capabilities=(found,))
