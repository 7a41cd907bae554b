"""A device whose class has no facts of its own: what `include = […]` in the configuration brings in."""

from dataclasses import dataclass
from typing import ClassVar

from hwcensus.device import Capability
from hwcensus.fact import WORD, optional, required


@dataclass(frozen=True, kw_only=True)
class Generic(Capability):
    """Kernel subsystem, and the kind within it (`DEVTYPE`; of a link what rtnetlink calls it)."""

    type_: ClassVar[str] = "generic"

    subsystem: str = required("subsystem", WORD)
    kind: str | None = optional("kind", WORD)
