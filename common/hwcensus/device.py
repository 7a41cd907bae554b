"""The device document as typed values: the frame of the 2008 proposal, and what every class builds on.

A class of devices is a subclass of `Capability` or `Bus` in `classes/`; this module knows none of them. Reading and
writing XML is in `codec.py`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar, Self

from hwcensus.fact import TEXT, WORD, optional, repeated, required


@dataclass(frozen=True, kw_only=True)
class State:
    """What changes while the hardware stays the same; left out of the digest. Base of every `<state>`."""

    #: Paths of facts that could not be read and keep their last published value, blank-separated.
    unread: str | None = optional("@unread", TEXT)


@dataclass(frozen=True, kw_only=True)
class Part:
    """What buses and capabilities share: a type, nested capabilities, a state."""

    type_: ClassVar[str] = ""
    #: Types of the parts it may be nested in; () stands at the top of the device.
    within: ClassVar[tuple[str, ...]] = ()
    state_class: ClassVar[type[State]] = State

    nested: tuple["Capability", ...] = ()
    state: State | None = None

    def find(self, wanted: str) -> "Capability | None":
        """The nested capability of this type, at any depth."""
        for inner in self.nested:
            found = inner if inner.type_ == wanted else inner.find(wanted)
            if found is not None:
                return found
        return None


@dataclass(frozen=True, kw_only=True)
class Capability(Part):
    """Base of the `<capability type="…">` classes."""


@dataclass(frozen=True, kw_only=True)
class Bus(Part):
    """Base of the `<bus type="…">` classes: where the device sits on a kernel bus."""


@dataclass(frozen=True, kw_only=True)
class Device:
    """One device of one host.

    `key` is the HAL udi or the resolved sysfs path, `parent` the name of the nearest ancestor in the census.
    """

    name: str = required("name", WORD, handle=True)
    key: str | None = optional("key", TEXT, handle=True)
    parent: str | None = optional("parent", WORD, handle=True)
    devnode: tuple[str, ...] = repeated("devnode", TEXT, handle=True)
    driver: str | None = optional("driver", TEXT)
    bus: Bus | None = None
    capabilities: tuple[Capability, ...] = ()
    state: State | None = None

    state_class: ClassVar[type[State]] = State

    def capability(self, wanted: str) -> Capability | None:
        """The capability of this type, nested ones too."""
        for top in self.capabilities:
            found = top if top.type_ == wanted else top.find(wanted)
            if found is not None:
                return found
        return None

    def parts(self) -> Iterator[Part]:
        """The bus and all capabilities, nested ones after what they are in."""
        waiting: list[Part] = [*([] if self.bus is None else [self.bus]), *self.capabilities]
        while waiting:
            part = waiting.pop(0)
            yield part
            waiting += part.nested

    def with_parent(self, parent: str | None) -> Self:
        return replace(self, parent=parent)
