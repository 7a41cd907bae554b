"""What sysfs says of a host, read plainly and apart from our code: what an enumeration is compared with.

`check` serves the machine itself and recorded trees alike.
"""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from hwcensus import document, schema
from hwcensus.document import JsonValue, Survey
from hwcensus_agent.enumerate import Described

Facts = dict[str, JsonValue]


def attribute(folder: Path, name: str) -> str | None:
    try:
        return (folder / name).read_text(errors="replace").strip() or None
    except OSError:
        return None


def number(folder: Path, name: str, base: int = 10) -> int | None:
    text = attribute(folder, name)
    return None if text is None else int(text, base)


def present(**facts: JsonValue | None) -> Facts:
    return {path.replace("__", "."): value for path, value in facts.items() if value is not None}


def pci(folder: Path) -> Facts:
    domain, bus, rest = folder.name.split(":")
    slot, function = rest.split(".")
    address = {"pci.address.domain": domain, "pci.address.bus": bus, "pci.address.slot": slot}
    return address | present(
        pci__vendor=number(folder, "vendor", 16),
        pci__product=number(folder, "device", 16),
        pci__class=(attribute(folder, "class") or "")[2:],
        pci__address__function=function,
    )


def virtio(folder: Path) -> Facts:
    return present(virtio__vendor=number(folder, "vendor", 16), virtio__product=number(folder, "device", 16))


def usb(folder: Path) -> Facts:
    if ":" in folder.name:
        return present(
            usb_interface__number=number(folder, "bInterfaceNumber", 16),
            usb_interface__class=attribute(folder, "bInterfaceClass"),
            usb_interface__protocol=attribute(folder, "bInterfaceProtocol"),
        )
    hub = folder.name.startswith("usb")
    return present(
        usb__vendor=number(folder, "idVendor", 16),
        usb__product=number(folder, "idProduct", 16),
        usb__speed=attribute(folder, "speed"),
        usb__serial=None if hub else attribute(folder, "serial"),
    )


def net(folder: Path) -> Facts:
    address = attribute(folder, "address")
    if address is not None and len(address.split(":")) == 20:  # InfiniBand: the port's GUID
        address = address[-23:]
    return present(
        net__interface=folder.name,
        net__mtu=number(folder, "mtu"),
        net__link=attribute(folder, "operstate"),
        net__address=address if address and ":" in address and address.strip("0:") else None,
    )


def block(folder: Path) -> Facts:
    major, minor = (attribute(folder, "dev") or ":").split(":")
    size = number(folder, "size") or 0
    optical = attribute(folder, "device/type") == "5"
    return present(
        block__node__major=int(major),
        block__node__minor=int(minor),
        block__size=size * 512 if size and not optical else None,
        volume__start=(number(folder, "start") or 0) * 512 if (folder / "start").exists() else None,
        storage__model=attribute(folder, "device/model"),
        storage__rotational=(
            bool(number(folder, "queue/rotational"))
            if (folder / "queue/rotational").exists() and (folder / "device").exists()
            else None
        ),
    )


def scsi(folder: Path) -> Facts:
    numbers = [int(part) for part in folder.name.lstrip("abcdefghijklmnopqrstuvwxyz").split(":")]
    if folder.name.startswith("host"):
        return {"scsihost.host": numbers[0]} | present(
            scsihost__proc_name=attribute(folder, f"scsi_host/{folder.name}/proc_name"),
            fc__port=attribute(folder, f"fc_host/{folder.name}/port_state"),
        )
    if folder.name.startswith("target"):
        return dict(zip(("scsi_target.host", "scsi_target.bus", "scsi_target.target"), numbers, strict=True))
    address: Facts = dict(zip(("scsi.host", "scsi.bus", "scsi.target", "scsi.lun"), numbers, strict=True))
    return address | present(
        scsi__vendor=attribute(folder, "vendor"),
        scsi__model=attribute(folder, "model"),
        scsi__revision=attribute(folder, "rev"),
        scsi__device=attribute(folder, "state"),
    )


def scsi_generic(folder: Path) -> Facts:
    return {"scsi_generic.device": f"/dev/{folder.name}"}


def nvme(folder: Path) -> Facts:
    return present(nvme__model=attribute(folder, "model"), nvme__serial=attribute(folder, "serial"))


def scsi_tape(folder: Path) -> Facts:
    return {"storage.drive_type": "tape"} | present(storage__model=attribute(folder, "device/model"))


def input_(folder: Path) -> Facts:
    ids = {f"input.id.{name}": attribute(folder, f"id/{kernel}") for name, kernel in IDS.items()}
    return {path: value for path, value in ids.items() if value is not None} | present(
        input__name=attribute(folder, "name") or attribute(folder, "device/name")
    )


IDS = {"bus": "bustype", "vendor": "vendor", "product": "product", "version": "version"}


def sound(folder: Path) -> Facts:
    digits = re.findall(r"\d+", folder.name)
    return present(sound__card=int(digits[0]), alsa__pcm_class=attribute(folder, "pcm_class"))


def is_sound(folder: Path) -> bool:
    return re.match(r"card\d|(control|pcm|hw|midi|compr)C\d", folder.name) is not None


def is_serial_port(folder: Path) -> bool:
    type_ = attribute(folder, "type")
    made_in_advance = "serial8250" in (folder / "device").resolve().name if type_ is None else type_ == "0"
    return (folder / "device").exists() and not made_in_advance


def tty(folder: Path) -> Facts:
    return present(tty__line=int(re.findall(r"\d+", folder.name)[-1]))


def mmc(folder: Path) -> Facts:
    return present(
        mmc__vendor=number(folder, "manfid", 16),
        mmc__serial=attribute(folder, "serial"),
        mmc__cid=attribute(folder, "cid"),
    )


#: Of classes whose facts are attributes as they are: fact → attribute.
LONG_TAIL = {
    "infiniband": {"rdma.model": "hca_type", "rdma.firmware": "fw_ver", "rdma.board": "board_id",
                   "rdma.revision": "hw_rev", "rdma.serial": "serial"},
    "power_supply": {"power_supply.type": "type", "power_supply.vendor": "manufacturer",
                     "power_supply.model": "model_name", "power_supply.serial": "serial_number",
                     "power_supply.technology": "technology", "power_supply.status": "status"},
    "ieee80211": {"ieee80211.address": "macaddress"},
    "video4linux": {"video4linux.name": "name"},
    "hwmon": {"hwmon.name": "name"},
    "rtc": {"rtc.name": "name"},
    "watchdog": {"watchdog.identity": "identity"},
    "mmc_host": {},
}  # fmt: skip


def as_they_are(facts: Mapping[str, str]) -> Callable[[Path], Facts]:
    def read(folder: Path) -> Facts:
        said = {path: attribute(folder, name) for path, name in facts.items()}
        return {path: value for path, value in said.items() if value is not None}

    return read


#: Subsystem → folder of its devices, which of them belong into the census, and what sysfs says of one.
EXPECTED: Mapping[str, tuple[str, Callable[[Path], bool], Callable[[Path], Facts]]] = {
    "pci": ("bus/pci/devices", lambda _: True, pci),
    "virtio": ("bus/virtio/devices", lambda _: True, virtio),
    "usb": ("bus/usb/devices", lambda _: True, usb),
    "net": ("class/net", lambda folder: folder.is_dir() and not (folder / "tun_flags").exists(), net),
    "block": ("class/block", lambda folder: bool(number(folder, "size")) or not _in_advance(folder), block),
    "scsi": ("bus/scsi/devices", lambda _: True, scsi),
    "scsi_generic": ("class/scsi_generic", lambda _: True, scsi_generic),
    "scsi_tape": ("class/scsi_tape", lambda folder: folder.name.strip("0123456789") == "st", scsi_tape),
    "nvme": ("class/nvme", lambda _: True, nvme),
    "input": ("class/input", lambda folder: folder.name.startswith(("input", "event")), input_),
    "sound": ("class/sound", is_sound, sound),
    "tty": ("class/tty", is_serial_port, tty),
    "drm": ("class/drm", lambda folder: folder.is_dir() and "-" not in folder.name, lambda _: {}),
    "mmc": ("bus/mmc/devices", lambda _: True, mmc),
    **{name: (f"class/{name}", lambda _: True, as_they_are(facts)) for name, facts in LONG_TAIL.items()},
}


def _in_advance(folder: Path) -> bool:
    return folder.name.startswith(("loop", "ram", "zram"))


def expected(sysroot: Path) -> Iterator[tuple[str, Path, Facts]]:
    """Key, folder and facts of every device that an enumeration of this sysfs must have."""
    root = sysroot.resolve()
    for home, belongs, facts in EXPECTED.values():
        for entry in sorted((root / home).iterdir()) if (root / home).is_dir() else ():
            folder = entry.resolve()
            if belongs(folder):
                yield f"/sys/{folder.relative_to(root)}", folder, facts(folder)
    yield from processors(root / "devices/system/cpu")


def processors(cpus: Path) -> Iterator[tuple[str, Path, Facts]]:
    """The same of the processors: a core is known by its number within its die."""
    folders = [path.parent for path in cpus.glob("cpu[0-9]*/topology/physical_package_id")]
    for package in {number(folder, "physical_package_id") for folder in folders}:
        its = [folder for folder in folders if number(folder, "physical_package_id") == package]
        cores = {(number(folder, "die_id"), number(folder, "core_id")) for folder in its}
        facts = present(processor__package=package, processor__cores=len(cores), processor__threads=len(its))
        yield f"/sys/devices/system/cpu#{package}", cpus, facts


def check(sysroot: Path, devices: tuple[Described, ...], *, besides: frozenset[str] = frozenset()) -> int:
    """That these are the devices of the sysfs, with its facts; how many were compared. `besides` are keys of more."""
    by_key = {one.key: one for one in devices}
    compared = 0
    keys = {"/sys/devices"} | besides
    for key, folder, facts in expected(sysroot):
        keys.add(key)
        survey = document.survey(by_key[key].element)
        said: Facts = {**survey.facts, **survey.state}
        assert {path: said.get(path) for path in facts} == facts, key
        driver = _driver(folder)
        assert driver is None or survey.frame.get("driver") == driver, key
        compared += 1
    assert set(by_key) == keys
    check_whole(devices)
    return compared


def check_whole(devices: tuple[Described, ...]) -> None:
    """What holds for every census: valid documents, unique names, keys, identities, parents that come first."""
    names: set[str] = set()
    for one in devices:
        schema.validate(one.element, "device")
        parent = one.device.parent
        assert parent in names if parent is not None else one.name == "computer"
        assert one.name not in names
        names.add(one.name)
    assert len({one.identity for one in devices}) == len(devices)
    assert len({one.key for one in devices}) == len(devices)


def survey_of(devices: tuple[Described, ...], name: str) -> Survey:
    """The facts of the device of this name."""
    return document.survey(next(one for one in devices if one.name == name).element)


def _driver(folder: Path) -> str | None:
    """None too where the link leads out of the sysfs, as links of made hosts do."""
    link = folder / "driver"
    if not link.is_symlink():
        return None
    target = os.path.normpath(folder / link.readlink())
    root = str(folder).partition("/devices/")[0]
    return target.rpartition("/")[2] if target.startswith(f"{root}/") else None
