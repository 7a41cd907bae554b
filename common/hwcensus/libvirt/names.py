"""The longer names that libvirt gives interfaces and disks: `net_eth0_52_54_…`, `block_sda_SERIAL`.

What it appends to a disk's name, and calls the serial, is udev's ID_SERIAL, which mostly has the model in front. We
keep the serial itself; what udev makes of it follows its rules (systemd 252, 60-persistent-storage.rules). A model that
sysfs cuts off (ATA gives 40 characters, SCSI takes 16) comes out shorter here.
"""

import re
from collections.abc import Callable, Iterator, Mapping

from hwcensus.document import JsonValue
from hwcensus.names import device_name

_NO_ADDRESS = "00:00:00:00:00:00"


def libvirt_name(name: str, facts: Mapping[str, JsonValue], key: str | None) -> str:
    """The name that libvirt gives a device of this name, whose facts these are by their paths, with those of now."""
    mark = next(_marks(facts, key), None)
    return name if mark is None else device_name(name, mark)


def libvirt_names(name: str, facts: Mapping[str, JsonValue], key: str | None) -> set[str]:
    """All longer names by which the device may be asked for: some have the serial alone."""
    return {device_name(name, mark) for mark in _marks(facts, key)}


def _marks(facts: Mapping[str, JsonValue], key: str | None) -> Iterator[str]:
    if "net.interface" in facts:
        address = _text(facts, "net.address")
        if address is not None or facts["net.interface"] == "lo":
            yield address or _NO_ADDRESS
    whole, serial = udev_serial(facts, key), _text(facts, "storage.serial")
    yield from (mark for mark in (whole, serial) if mark is not None)


def udev_serial(facts: Mapping[str, JsonValue], key: str | None) -> str | None:
    """What udev's rules call the serial (ID_SERIAL) of a disk with these facts; None where there is nothing to say."""
    rule = _RULES.get(_text(facts, "storage.bus") or "", _plain)
    return rule(facts, key or "")


def _plain(facts: Mapping[str, JsonValue], _: str) -> str | None:
    return _text(facts, "storage.serial")


def _with_model(facts: Mapping[str, JsonValue], _: str) -> str | None:
    serial = _text(facts, "storage.serial")
    return None if serial is None else _joined(_text(facts, "storage.model"), serial)


def _scsi(facts: Mapping[str, JsonValue], _: str) -> str | None:
    """scsi_id: page 83h with the designator's type in front, else page 80h with vendor and model (its man page)."""
    kind, _, value = (_text(facts, "storage.wwid") or "").partition(".")
    if kind in _DESIGNATORS:
        return _DESIGNATORS[kind] + value
    serial = _text(facts, "storage.serial")
    if serial is None:
        return None
    return "S" + _joined(_text(facts, "storage.vendor"), _text(facts, "storage.model"), serial)


def _usb(facts: Mapping[str, JsonValue], key: str) -> str | None:
    """usb_id: vendor, model and serial, then target and LUN."""
    found = re.search(r"/\d+:\d+:(\d+:\d+)/block/", key)
    parts = (_text(facts, f"storage.{name}") for name in ("vendor", "model", "serial"))
    whole = _joined(*parts)
    return f"{whole}-{found[1]}" if whole and found is not None else whole or None


_RULES: Mapping[str, Callable[[Mapping[str, JsonValue], str], str | None]] = {
    "ata": _with_model,
    "nvme": _with_model,
    "scsi": _scsi,
    "usb": _usb,
}
_DESIGNATORS = {"naa": "3", "eui": "2"}  # SPC-4, designator types


def _joined(*parts: str | None) -> str:
    return "_".join(re.sub(r"\s+", "_", part) for part in parts if part)


def _text(facts: Mapping[str, JsonValue], path: str) -> str | None:
    found = facts.get(path)
    return None if found is None else str(found)
