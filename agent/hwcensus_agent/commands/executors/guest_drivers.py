"""Drivers that hold a device for a guest, or for a program, and do nothing with it themselves."""

#: PCI: the kernel's own (Documentation/driver-api/vfio.rst, drivers/pci/pci-stub.c, drivers/uio, drivers/xen), DPDK's.
_NAMES = frozenset({"pci-stub", "uio_pci_generic", "igb_uio", "pciback"})
#: The ones of vendors are called so too: mlx5_vfio_pci.
VFIO = "vfio-pci"
#: USB: who claims an interface from user space, QEMU among them (drivers/usb/core/devio.c).
USBFS = "usbfs"


def is_vfio(driver: str) -> bool:
    return driver.replace("_", "-").endswith(VFIO)


def holds_for_guests(driver: str) -> bool:
    return driver in _NAMES or is_vfio(driver)
