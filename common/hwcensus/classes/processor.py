"""Processors: one a package, whatever number of cores and threads it has (kernel ABI sysfs-devices-system-cpu)."""

from dataclasses import dataclass
from typing import ClassVar

from hwcensus.device import Capability, State
from hwcensus.fact import NUMBER, WORD, optional, repeated, required


@dataclass(frozen=True, kw_only=True)
class ProcessorState(State):
    """The microcode that was loaded, and how many threads are switched on."""

    microcode: str | None = optional("@microcode", WORD)
    online: int | None = optional("@online", NUMBER, doc="threads")


@dataclass(frozen=True, kw_only=True)
class Processor(Capability):
    """What sits in one socket."""

    type_: ClassVar[str] = "processor"
    state_class: ClassVar[type[State]] = ProcessorState

    package: int = required("package", NUMBER, doc="number of the package, by the kernel")
    model: str | None = optional("model")
    vendor: str | None = optional("vendor")
    family: int | None = optional("identification@family", NUMBER)
    model_number: int | None = optional("identification@model", NUMBER)
    stepping: str | None = optional("identification@stepping", WORD, doc="of ARM: variant and revision, `r3p1`")
    cores: int | None = optional("cores", NUMBER)
    threads: int | None = optional("threads", NUMBER)
    max_mhz: int | None = optional("max_mhz", NUMBER)
    numa_nodes: tuple[int, ...] = repeated("numa_node", NUMBER)
