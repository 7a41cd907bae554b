"""What the lab's machines are made of, as words for QEMU."""

#: Free slots for PCI devices to be plugged into: rp0 … rp3.
SLOTS = 4
MIB = 1 << 20
#: The virtual port that the lab's Fibre Channel target shows a disk to.
INITIATOR = "2001001b32a9da4f"
#: Modules that are loaded before anything else: what they drive is complete when it is first told.
FIRST = "sd_mod sr_mod sg dummy bonding"


def slots() -> list[str]:
    return devices(*(f"pcie-root-port,id=rp{n},chassis={n + 1},slot={n + 1},addr={0x10 + n:#x}" for n in range(SLOTS)))


def controllers() -> list[str]:
    """SCSI, USB, sound, NVMe with SR-IOV, behind an IOMMU. (Virtio passes that by, unless told not to.)"""
    nvme = "nvme,id=nvme,serial=LABNVME,subsys=subsystem,bus=rpn,sriov_max_vfs=4,sriov_vq_flexible=8"
    return [
        *devices("intel-iommu"),
        *devices("virtio-scsi-pci,id=scsi,addr=0x18", "qemu-xhci,id=usb,addr=0x19"),
        *("-audiodev", "none,id=quiet"),
        *devices("intel-hda,id=sound,addr=0x1a", "hda-duplex,audiodev=quiet"),
        *devices("pcie-root-port,id=rpn,chassis=60,slot=60,addr=0x1b", "nvme-subsys,id=subsystem"),
        *devices(f"{nvme},sriov_vi_flexible=4,max_ioqpairs=12,msix_qsize=8"),
    ]


def server(*, shuffled: bool) -> list[str]:
    """A machine with two of everything; `shuffled`, each device is where its twin was."""
    one, two = (1, 0) if shuffled else (0, 1)
    drives = [name for n in (0, 1) for name in (f"ata{n}", f"lun{n}", f"virt{n}", f"stick{n}")]
    return [
        *(word for name in drives for word in ("-drive", f"if=none,id={name},file=null-co://,file.size={16 * MIB}")),
        *slots(),
        *devices("ich9-ahci,id=ahci,addr=0x17", "virtio-scsi-pci,id=scsi,addr=0x18", "qemu-xhci,id=usb,addr=0x19"),
        *devices(
            *(f"ide-hd,bus=ahci.{at},drive=ata{n},serial=LABATA{n},wwn={0x5000C50000000020 + n:#x}"
              for at, n in ((0, one), (1, two)))
        ),
        *devices(
            *(f"scsi-hd,bus=scsi.0,lun={at},drive=lun{n},serial=LABLUN{n},wwn={0x5000C50000000010 + n:#x}"
              for at, n in ((0, one), (1, two)))
        ),
        *devices(*(f"virtio-blk-pci,bus=rp{at},drive=virt{n},serial=LABVIRT{n}" for at, n in ((0, one), (1, two)))),
        *devices(*(f"e1000e,bus=rp{at},mac=52:54:00:00:02:0{n}" for at, n in ((2, one), (3, two)))),
        *devices(
            *(f"usb-storage,bus=usb.0,port={at},drive=stick{n},serial=LABSTICK{n}" for at, n in ((1, one), (2, two)))
        ),
    ]  # fmt: skip


def devices(*given: str) -> list[str]:
    return [word for device in given for word in ("-device", device)]
