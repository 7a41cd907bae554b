"""Sound cards and the ALSA nodes below them (kernel: sound/core/init.c, pcm.c; HAL specification, "alsa")."""

from dataclasses import dataclass
from typing import ClassVar

from hwcensus.device import Capability
from hwcensus.fact import NUMBER, WORD, optional, required


@dataclass(frozen=True, kw_only=True)
class Sound(Capability):
    """A card, or a node of one: then number, id and name are those of its card."""

    type_: ClassVar[str] = "sound"

    card: int = required("card", NUMBER, handle=True)
    id: str | None = optional("id", doc="as in hw:CARD=…")
    name: str | None = optional("name")


@dataclass(frozen=True, kw_only=True)
class Alsa(Capability):
    """What the node is for. A PCM may have two: one that plays, one that captures."""

    type_: ClassVar[str] = "alsa"
    within: ClassVar[tuple[str, ...]] = ("sound",)

    type: str = required("type", WORD, doc="control, playback, capture, midi, compress, hw_specific")
    device: int | None = optional("device", NUMBER, handle=True)
    id: str | None = optional("id", doc="the driver's name of a PCM")
    pcm_class: str | None = optional("pcm_class", WORD, doc="generic, multi, modem, digitizer")
