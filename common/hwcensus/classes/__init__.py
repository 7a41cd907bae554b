"""Every class of device hwcensus knows, in one table. A new class is a module here and a line below, or no more than a
line in `longtail.py`: docs/add-a-device-class.md.
"""

from hwcensus.classes import (
    block,
    ccw,
    dimm,
    generic,
    input,
    link_kind,
    longtail,
    mmc,
    net,
    nvme,
    pci,
    printer,
    processor,
    scsi,
    scsi_target,
    scsihost,
    sound,
    storage,
    system,
    tty,
    usb,
    virtio,
)
from hwcensus.device import Bus, Capability

BUSES: dict[str, type[Bus]] = {
    cls.type_: cls for cls in (pci.PciBus, usb.UsbBus, virtio.VirtioBus, scsi.ScsiBus, mmc.MmcBus, ccw.CcwBus)
}

CAPABILITIES: dict[str, type[Capability]] = {
    cls.type_: cls
    for cls in (
        system.System,
        processor.Processor,
        dimm.Dimm,
        pci.Pci,
        usb.UsbInterface,
        net.Net,
        net.Ethernet,
        net.Wireless,
        net.Infiniband,
        link_kind.Bridge,
        link_kind.Vlan,
        link_kind.Bond,
        link_kind.Team,
        link_kind.Vrf,
        link_kind.Macvlan,
        link_kind.Vxlan,
        link_kind.Tun,
        scsihost.ScsiHost,
        scsihost.Fc,
        scsi_target.ScsiTarget,
        scsi_target.FcRemotePort,
        scsi.Scsi,
        scsi.ScsiGeneric,
        nvme.Nvme,
        storage.Storage,
        storage.Removable,
        storage.Hotpluggable,
        storage.Cdrom,
        block.Block,
        block.Volume,
        block.Loop,
        block.Zram,
        block.Dm,
        block.Md,
        block.Bcache,
        input.Input,
        input.Keyboard,
        input.Mouse,
        input.Touchpad,
        input.Touchscreen,
        input.Tablet,
        input.Joystick,
        input.Switch,
        sound.Sound,
        sound.Alsa,
        tty.Tty,
        printer.Printer,
        generic.Generic,
    )
} | {cls.type_: cls for cls in longtail.CLASSES}

#: Names that HAL, libvirt and people use for our types, read by every filter, client call and `create`.
ALIASES: dict[str, str] = {
    "scsi_host": "scsihost",
    "fc_host": "fc",
    "vport_ops": "vports",
    "usb": "usb_interface",
    "net.80203": "80203",
    "net.80211": "80211",
    "net.bridge": "bridge",
    "serial": "tty",
    "battery": "power_supply",
    "ac_adapter": "power_supply",
    "bluetooth_hci": "bluetooth",
}


def capability_type(name: str) -> str:
    """The written capability type for a name or alias, which is returned as it is where it is neither."""
    return ALIASES.get(name, name)
