"""A device in a few words: what a person would say it is."""

from collections.abc import Mapping, Sequence

#: Paths of facts that say it, the most telling first; those that are there are put together.
_SAYING = (
    ("system.hardware.vendor", "system.hardware.product"),
    ("processor.model",),
    ("dimm.locator", "dimm.manufacturer", "dimm.part"),
    ("pci.vendor_name", "pci.product_name"),
    ("usb.vendor_name", "usb.product_name"),
    ("virtio.product_name",),
    ("storage.vendor", "storage.model", "storage.size"),
    ("fc.wwpn",),
    ("scsihost.proc_name",),
    ("fc_remote_port.wwpn",),
    ("scsi.vendor", "scsi.model"),
    ("nvme.model",),
    ("net.address",),
    ("input.name",),
    ("zram.algorithm", "loop.backing_file", "volume.number", "block.size"),
    ("usb_interface.description",),
    ("vlan.id", "vlan.lower"),
    ("generic.subsystem",),
)
_SIZES = ("storage.size", "block.size")


def about(facts: Mapping[str, object]) -> str:
    """The first group of telling facts, in the words of the device itself."""
    for paths in _SAYING:
        words = [size(facts[path]) if path in _SIZES else str(facts[path]) for path in paths if path in facts]
        if words:
            return " ".join(words)
    return ""


def kinds(capabilities: Sequence[str], bus: str | None) -> str:
    """What it can do, or else the bus it sits on."""
    return " ".join(capabilities) or (bus or "")


def size(count: object) -> str:
    """Bytes as makers of disks count them: `500 GB`."""
    if not isinstance(count, int):
        return str(count)
    number, unit = float(count), "B"
    for larger in ("kB", "MB", "GB", "TB", "PB"):
        if number < 1000:
            break
        number, unit = number / 1000, larger
    return f"{number:.3g} {unit}"
