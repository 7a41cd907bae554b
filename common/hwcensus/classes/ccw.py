"""Channel-attached devices of IBM Z (kernel: drivers/s390/cio/device.c; Documentation/arch/s390/driver-model.rst)."""

from dataclasses import dataclass
from typing import ClassVar

from hwcensus.device import Bus, State
from hwcensus.fact import HEX1, HEX4, TEXT, WORD, YES_NO, optional, required


@dataclass(frozen=True, kw_only=True)
class CcwState(State):
    """Whether it is in use, and whether it could be."""

    online: bool | None = optional("@online", YES_NO)
    availability: str | None = optional("@availability", TEXT, doc="good, boxed, no device, no path")


@dataclass(frozen=True, kw_only=True)
class CcwBus(Bus):
    """A device behind a subchannel. Its number is chosen by who configures the machine, not by the kernel."""

    type_: ClassVar[str] = "ccw"
    state_class: ClassVar[type[State]] = CcwState

    device_type: str | None = optional("device_type", WORD, doc="type and model: 3390/0c")
    control_unit: str | None = optional("control_unit", WORD, doc="type and model: 3990/e9")
    cssid: str = required("address@cssid", WORD, doc="channel subsystem, hexadecimal")
    ssid: str = required("address@ssid", HEX1, doc="subchannel set")
    number: str = required("address@number", HEX4)
