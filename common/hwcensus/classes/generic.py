"""A device whose class has no facts of its own: what `include = […]` in the configuration brings in."""

from dataclasses import dataclass
from typing import ClassVar

from hwcensus.device import Capability
from hwcensus.fact import WORD, required


@dataclass(frozen=True, kw_only=True)
class Generic(Capability):
    """Kernel subsystem and device type, as the uevent names them."""

    type_: ClassVar[str] = "generic"

    subsystem: str = required("subsystem", WORD)
