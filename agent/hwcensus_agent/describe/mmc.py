"""SD and MMC cards: their registers as the kernel read them when the card came."""

import re

from hwcensus.classes.mmc import MmcBus
from hwcensus_agent.describe.description import Description
from hwcensus_agent.describe.facts import (
    Facts,
    From,
    first,
    hal,
    hexadecimal,
    in_name,
    number_in_name,
    stated,
    text,
    worked_out,
)
from hwcensus_agent.host import HostView
from hwcensus_agent.view import View

NAME = r"mmc(\d+):([0-9a-f]{4})"


def unknown(key: str) -> From:
    """`Unknown (2)`: HAL has no names of these and gives the number in words."""

    def read(view: View, _: HostView) -> int | None:
        found = re.search(r"\((\d+)\)$", str(view.hal(key) or ""))
        return None if found is None else int(found[1])

    return stated(read, hal=f"`{key}`")


@worked_out(hal="`mmc.serial`, as the kernel writes it")
def serial(view: View, _: HostView) -> str | None:
    found = view.hal("mmc.serial")
    return f"0x{found & 0xFFFFFFFF:08x}" if isinstance(found, int) else None


BUS = Facts(
    MmcBus,
    vendor=first(hexadecimal("manfid"), unknown("mmc.vendor")),
    oem=first(hexadecimal("oemid"), unknown("mmc.oem")),
    product_name=first(text("name"), hal("info.product")),
    type=first(text("type"), hal("mmc.type")),
    serial=first(text("serial"), serial),
    cid=first(text("cid"), hal("mmc.cid")),
    date=first(text("date"), hal("mmc.date")),
    hardware=first(hexadecimal("hwrev"), hal("mmc.hwrev")),
    firmware=first(hexadecimal("fwrev"), hal("mmc.fwrev")),
    host=number_in_name(NAME, 1),
    card=in_name(NAME, 2),
)


def describe(view: View, host: HostView) -> Description:
    return Description(bus=BUS.of(view, host))
