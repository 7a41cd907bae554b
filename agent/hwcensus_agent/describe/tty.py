"""Serial ports. Consoles, virtual terminals and pseudo terminals stay out, and so do the ports that the 8250 driver
makes in advance and finds no UART behind (type 0).
"""

import re

from hwcensus.classes.tty import Tty
from hwcensus_agent.describe.description import Description
from hwcensus_agent.describe.facts import Facts, first, hal, number_in_name, worked_out
from hwcensus_agent.host import HostView
from hwcensus_agent.view import View

#: PORT_* of linux/serial.h.
UARTS = {1: "8250", 2: "16450", 3: "16550", 4: "16550A", 5: "Cirrus", 6: "16650", 7: "16650V2", 8: "16750",
         9: "Startech", 10: "16C950", 11: "16654", 12: "16850", 13: "RSA"}  # fmt: skip
#: Sign in the sysfs path → how the port is attached, in HAL's words. What is on a bus of the board is `platform`.
TYPES = (("/usb", "usb"), ("/bluetooth/", "bluetooth"), ("/pnp", "platform"), ("/platform/", "platform"),
         ("/pci", "pci"))  # fmt: skip
NONE = {"0", "0x0"}  # type or address


@worked_out(path="the buses in it")
def type_(view: View, _: HostView) -> str | None:
    return next((type_ for sign, type_ in TYPES if sign in view.syspath), None)


@worked_out(sysfs="`type`, by name as in linux/serial.h")
def uart(view: View, _: HostView) -> str | None:
    return UARTS.get(int(view.text("type") or 0))


@worked_out(sysfs="`port`, else `iomem_base`")
def address(view: View, _: HostView) -> str | None:
    said = (view.text("port"), view.text("iomem_base"))
    return next((one for one in said if one is not None and one not in NONE), None)


TTY = Facts(
    Tty,
    type=first(type_, hal("serial.type")),
    line=first(number_in_name(r".*?(\d+)"), hal("serial.port")),
    uart=uart,
    address=address,
)


def _is_port(view: View) -> bool:
    """Older kernels do not say the type: what nothing but the driver itself stands behind is not believed then."""
    if view.hal("serial.device") is not None:
        return True
    is_below_hardware = re.match(r"/sys/devices/(?!virtual/)", view.syspath) is not None
    type_ = view.text("type") if is_below_hardware or view.has("device") else "0"
    return "/platform/serial8250/" not in view.syspath if type_ is None else type_ not in NONE


def describe(view: View, host: HostView) -> Description | None:
    return Description(capabilities=(TTY.of(view, host) or Tty(),)) if _is_port(view) else None
