"""What the lab's machines are made of, as words for QEMU."""

from collections.abc import Iterator

#: Free slots for PCI devices to be plugged into: rp0 … rp3.
SLOTS = 4


def slots() -> list[str]:
    return _devices(*(f"pcie-root-port,id=rp{n},chassis={n + 1},slot={n + 1},addr={0x10 + n:#x}" for n in range(SLOTS)))


def controllers() -> list[str]:
    """SCSI, USB, sound, and an NVMe controller with SR-IOV."""
    nvme = "nvme,id=nvme,serial=LABNVME,subsys=subsystem,bus=rpn,sriov_max_vfs=4,sriov_vq_flexible=8"
    return [
        *_devices("virtio-scsi-pci,id=scsi,addr=0x18", "qemu-xhci,id=usb,addr=0x19"),
        *("-audiodev", "none,id=quiet"),
        *_devices("intel-hda,id=sound,addr=0x1a", "hda-duplex,audiodev=quiet"),
        *_devices("pcie-root-port,id=rpn,chassis=60,slot=60,addr=0x1b", "nvme-subsys,id=subsystem"),
        *_devices(f"{nvme},sriov_vi_flexible=4,max_ioqpairs=12,msix_qsize=8"),
    ]


def _devices(*devices: str) -> list[str]:
    def words() -> Iterator[str]:
        for device in devices:
            yield from ("-device", device)

    return list(words())
