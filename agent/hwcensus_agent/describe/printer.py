"""Printers of the kernel's usblp driver. The printer is not asked: the driver keeps what it said when it came."""

import re

from hwcensus.classes.printer import Printer
from hwcensus_agent.describe.description import Description
from hwcensus_agent.describe.facts import Facts, From, first, hal, stated, worked_out
from hwcensus_agent.host import HostView
from hwcensus_agent.view import View


def said(*keys: str) -> From:
    """A field of the IEEE 1284 id, `KEY:value;KEY:value;`, under any of the names that makers give it."""

    def read(view: View, _: HostView) -> str | None:
        pairs = (field.partition(":") for field in (view.text("device/ieee1284_id") or "").split(";"))
        fields = {key.strip().upper(): value.strip() for key, _, value in pairs}
        return next((fields[key] for key in keys if fields.get(key)), None)

    return stated(read, sysfs=f"`device/ieee1284_id` {'/'.join(keys)}")


@worked_out(hal="`printer.commandset`")
def command_set(view: View, _: HostView) -> str | None:
    found = view.hal("printer.commandset")
    return ",".join(found) or None if isinstance(found, tuple) else None


PRINTER = Facts(
    Printer,
    vendor=first(said("MFG", "MANUFACTURER"), hal("printer.vendor")),
    product=first(said("MDL", "MODEL"), hal("printer.product")),
    serial=first(said("SN", "SERN", "SERIALNUMBER"), hal("printer.serial")),
    description=first(said("DES", "DESCRIPTION"), hal("printer.description")),
    commands=first(said("CMD", "COMMAND SET"), command_set),
)


def describe(view: View, host: HostView) -> Description | None:
    if re.fullmatch(r"lp\d+", view.kernel_name) is None:
        return None
    return Description(capabilities=(PRINTER.of(view, host) or Printer(),))
