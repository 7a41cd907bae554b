"""What narrows a list of devices: capability, bus, host, name, key, and whether gone ones count."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Select, select

from hwcensus.classes import ALIASES, BUSES, CAPABILITIES, capability_type
from hwcensus_collector.inventory.refusal import BadParameter, did_you_mean, nearest_names
from hwcensus_collector.tables import capability, device

#: Worked out of `<vports max>`, so it is no class of its own.
_DERIVED = ("vports",)
PRESENCE = ("yes", "no", "all")


@dataclass(frozen=True, kw_only=True)
class DeviceFilter:
    """All that is given must hold. `host` is an id, `cap` a written type; `key` matches with or without `/sys`."""

    host: str | None = None
    cap: str | None = None
    bus: str | None = None
    name: str | None = None
    key: str | None = None
    #: yes (now there), no (gone), all.
    present: str = "yes"

    def narrow(self, query: Select[tuple[object, ...]]) -> Select[tuple[object, ...]]:
        """The query with these conditions on `device`."""
        for condition in self._conditions():
            query = query.where(condition)
        return query

    def _conditions(self) -> list[ColumnElement[bool]]:
        wanted = []
        if self.host is not None:
            wanted.append(device.c.host == self.host)
        if self.cap is not None:
            wanted.append(device.c.id.in_(select(capability.c.device).where(capability.c.type == self.cap)))
        if self.bus is not None:
            wanted.append(device.c.bus == self.bus)
        if self.name is not None:
            wanted.append(device.c.name == self.name)
        if self.key is not None:
            wanted.append(device.c.key.in_(key_forms(self.key)))
        if self.present != "all":
            wanted.append(device.c.present.is_(self.present == "yes"))
        return wanted


def key_forms(key: str) -> tuple[str, ...]:
    """The keys meant by one as a person gives it: the HAL udi or sysfs path itself, or a path as uevents have it."""
    plain = key.rstrip("/") or key
    return (plain, f"/sys{plain}") if plain.startswith("/devices/") else (plain,)


def read_capability(name: str) -> str:
    """The written type of a capability or alias. Raises BadParameter (`unknown-capability`)."""
    type_ = capability_type(name)
    if type_ not in CAPABILITIES and type_ not in _DERIVED:
        near = nearest_names(name, (*CAPABILITIES, *_DERIVED, *ALIASES))
        hint = did_you_mean(near) or f"; there are {', '.join((*CAPABILITIES, *_DERIVED))}"
        raise BadParameter(f"there is no capability {name!r}{hint}", code="unknown-capability", nearest=near)
    return type_


def read_bus(name: str) -> str:
    """The bus type of this name. Raises BadParameter (`unknown-bus`)."""
    if name not in BUSES:
        near = nearest_names(name, BUSES)
        known = ", ".join(BUSES)
        raise BadParameter(
            f"there is no bus {name!r}; known are {known}{did_you_mean(near)}", code="unknown-bus", nearest=near
        )
    return name


def read_presence(text: str) -> str:
    """yes, no or all. Raises BadParameter (`bad-parameter`)."""
    if text not in PRESENCE:
        raise BadParameter(f"present is one of {', '.join(PRESENCE)}, not {text!r}")
    return text
