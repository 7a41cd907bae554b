"""The long tail: classes without rules of their own, a line each. Schema, codec and describer follow from the line.

A line names the kernel's subsystem, which is the capability's type too unless it says otherwise, what its devices are,
which of the kernel's names are devices of it (all, if it does not say), and its facts: `fact=of("attribute", KIND, …)`.
How a fact is read is in `hwcensus_agent.describe.longtail`. Left out is what changes all the time (charge,
temperatures, time), what asks firmware (the state of an InfiniBand port, the slots of an enclosure, `caps` of a TPM)
and what is secret (the key of a Thunderbolt device). Sources: kernel ABI, Documentation/ABI/*/sysfs-class-* and
sysfs-bus-*; HAL specification.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from hwcensus.device import Capability, State
from hwcensus.fact import MAC, NUMBER, TEXT, UUID, WORD, WWN, YES_NO, Kind, Value, optional


@dataclass(frozen=True, kw_only=True)
class Of:
    """One fact of a line, and where each kind of view has it. The sources are tried in the order of these fields."""

    kind: Kind
    #: Sysfs attributes.
    sysfs: tuple[str, ...] = ()
    #: Of the number in the attribute.
    base: int = 10
    #: A link whose target's name it is.
    link: str = ""
    #: A pattern of the kernel's name; its first group is the value.
    name: str = ""
    udev: str = ""
    #: HAL's property.
    hal: str = ""
    #: What HAL or the kernel's name say for it → our word; a value that is not among them is none.
    words: Mapping[Value, Value] = field(default_factory=dict)
    state: bool = False
    #: What else `fact.optional` takes: `identifier`, `handle`, `doc`, …
    more: Mapping[str, Any] = field(default_factory=dict)


def of(*sysfs: str | Kind, state: bool = False, **more: Any) -> Of:
    """`of("attribute", "older attribute", KIND, hal="key", identifier="serial")`; the kind is text if none is given."""
    kinds = [one for one in sysfs if isinstance(one, Kind)]
    names = tuple(one for one in sysfs if isinstance(one, str))
    own = {key: more.pop(key) for key in ("base", "link", "name", "udev", "hal", "words") if key in more}
    return Of(kind=kinds[0] if kinds else TEXT, sysfs=names, state=state, more=more, **own)


@dataclass(frozen=True, kw_only=True)
class Line:
    """A class of the long tail."""

    doc: str
    facts: Mapping[str, Of]
    #: The kernel's names of its devices.
    names: str
    #: The capability's type.
    type_: str

    def made(self) -> type[Capability]:
        """The class, as if it had been written like the others."""
        state = _made(f"{self.type_}_state", State, self.stating(state=True), "What changes.")
        more = {"type_": self.type_, "state_class": state}
        return cast(type[Capability], _made(self.type_, Capability, self.stating(), self.doc, **more))

    def stating(self, *, state: bool = False) -> dict[str, Of]:
        """The facts that stand in `<state>`, or those that do not."""
        return {name: fact for name, fact in self.facts.items() if fact.state == state}


def _made(name: str, base: type, facts: Mapping[str, Of], doc: str, **more: Any) -> type:
    fields = [(name, Any, optional(f"@{name}" if fact.state else name, fact.kind, **fact.more))
              for name, fact in facts.items()]  # fmt: skip
    namespace = {"__doc__": doc, "__module__": __name__, **more}
    return dataclasses.make_dataclass(name, fields, bases=(base,), namespace=namespace, frozen=True, kw_only=True)


def line(subsystem: str, doc: str, names: str = ".+", *, type_: str = "", **facts: Of) -> tuple[str, Line]:
    return subsystem, Line(doc=doc, facts=facts, names=names, type_=type_ or subsystem)


#: Subsystem → its line.
LINES: Mapping[str, Line] = dict((
    line("bluetooth", "A Bluetooth controller. Newer kernels do not show its address.", r"hci\d+",
        address=of("address", MAC, hal="bluetooth_hci.address", identifier="mac")),
    line("drm", "A node of a graphics card.", r"(card|controlD|renderD)\d+",
        type=of(WORD, name=r"(\w+?)\d+", words={"card": "primary", "controlD": "control", "renderD": "render"})),
    line("enclosure", "A SCSI enclosure (SES).",
        id=of("id", WWN, identifier="wwid", doc="enclosure logical identifier"),
        components=of("components", NUMBER, doc="slots, fans, …")),
    line("hwmon", "A chip that measures temperatures, fans, voltages.",
        name=of("name", "device/name"), label=of("label", doc="what it measures, as the board's maker says")),
    line("ieee80211", "A radio, which may have several network interfaces.",
        address=of("macaddress", MAC, identifier="mac")),
    line("infiniband", "An RDMA device: InfiniBand, RoCE, iWARP, Omni-Path.", type_="rdma",
        node_type=of("node_type", doc="number and name, as 1: CA"),
        guid=of("node_guid", WWN, identifier="guid"),
        image_guid=of("sys_image_guid", WWN, doc="of the whole adapter"),
        model=of("hca_type"), board=of("board_id"), firmware=of("fw_ver"), revision=of("hw_rev"),
        serial=of("serial", identifier="serial")),
    line("mdev", "A mediated device: a part of a physical one, for a guest.",
        uuid=of(UUID, name="(.+)", identifier="guid"),
        mdev_type=of(link="mdev_type", doc="as its parent offers it"),
        iommu_group=of(NUMBER, link="iommu_group", handle=True)),
    line("mmc_host", "A slot for SD and MMC cards.",
        number=of(NUMBER, name=r"mmc(\d+)", hal="mmc_host.host", handle=True)),
    line("power_supply", "A battery, mains adapter, UPS or powering USB port.",
        type=of("type", WORD, hal="info.category", words={"ac_adapter": "Mains", "battery": "Battery"}),
        technology=of("technology", hal="battery.reporting.technology"),
        vendor=of("manufacturer", hal="battery.vendor"),
        model=of("model_name", hal="battery.model"),
        serial=of("serial_number", hal="battery.serial", identifier="serial"),
        online=of("online", YES_NO, hal="ac_adapter.present", state=True),
        present=of("present", YES_NO, hal="battery.present", state=True),
        status=of("status", hal="battery.rechargeable.is_charging", words={True: "Charging"}, state=True)),
    line("rtc", "A clock that goes on while the host is off.",
        name=of("name"), hctosys=of("hctosys", YES_NO, doc="the kernel took its time from this one at boot")),
    line("thunderbolt", "A Thunderbolt or USB4 router, or a domain of them.", r"domain\d+|\d+-[0-9a-f]+",
        vendor=of("vendor", NUMBER, base=16), vendor_name=of("vendor_name"),
        product=of("device", NUMBER, base=16), product_name=of("device_name"),
        unique_id=of("unique_id", UUID, identifier="guid"),
        generation=of("generation", NUMBER), firmware=of("nvm_version"),
        security=of("security", WORD, doc="of a domain: none, user, secure, dponly, usbonly, nopcie"),
        authorized=of("authorized", NUMBER, state=True, doc="0 no, 1 yes, 2 by key")),
    line("tpm", "A trusted platform module.", r"tpm\d+",
        version=of("tpm_version_major", NUMBER, doc="1 or 2"), description=of("device/description")),
    line("video4linux", "A camera, tuner or other source of pictures.",
        name=of("name"), index=of("index", NUMBER, doc="among the nodes of one device"),
        version=of(NUMBER, udev="ID_V4L_VERSION", hal="video4linux.version")),
    line("watchdog", "A timer that resets the host unless it is told not to.",
        identity=of("identity"), firmware=of("fw_version", NUMBER), nowayout=of("nowayout", YES_NO)),
))  # fmt: skip

CLASSES = tuple(one.made() for one in LINES.values())
