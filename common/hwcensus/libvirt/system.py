"""The host itself. libvirt always writes a UUID: zeros where there is none."""

from lxml import etree

from hwcensus.classes.system import System
from hwcensus.libvirt.element import capability, element, leaf

_NO_UUID = "00000000-0000-0000-0000-000000000000"


def write(system: System) -> etree._Element:
    return capability(
        "system",
        [
            leaf("product", system.product),
            element(
                "hardware",
                leaf("vendor", system.vendor),
                leaf("version", system.version),
                leaf("serial", system.serial),
                leaf("uuid", system.uuid or _NO_UUID),
            ),
            element(
                "firmware",
                leaf("vendor", system.firmware_vendor),
                leaf("version", system.firmware_version),
                leaf("release_date", system.firmware_date),
            ),
        ],
    )
