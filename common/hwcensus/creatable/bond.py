"""Bonds: a name, ports, and what the bonding driver is to know (the kernel's networking/bonding.rst)."""

from lxml import etree

from hwcensus.classes.link_kind import BOND_MODES, CHOOSING_BOND_MODES, LACP_MODE, LACP_RATES, XMIT_POLICIES
from hwcensus.creatable.link import check_link, check_number, check_word, chosen
from hwcensus.errors import InvalidDocument

#: Milliseconds: the driver counts in an int.
LONGEST_MIIMON = 2**31 - 1


def check(device: etree._Element) -> None:
    """What the mode does not use is refused. Raises InvalidDocument."""
    check_link(device, "bond", ("mode", "xmit_policy", "lacp_rate", "miimon"), has_ports=True)
    said = chosen(device, "bond")
    mode = said.get("mode", BOND_MODES[0])
    check_word(mode, BOND_MODES, "mode of a bond", "bad-bond-mode")
    if "xmit_policy" in said:
        check_word(said["xmit_policy"], XMIT_POLICIES, "xmit_policy of a bond", "bad-xmit-policy")
        _check_used("xmit_policy", mode, CHOOSING_BOND_MODES, "bad-xmit-policy")
    if "lacp_rate" in said:
        check_word(said["lacp_rate"], LACP_RATES, "lacp_rate of a bond", "bad-lacp-rate")
        _check_used("lacp_rate", mode, (LACP_MODE,), "bad-lacp-rate")
    if "miimon" in said:
        check_number(said["miimon"], 1, LONGEST_MIIMON, "miimon of a bond", "bad-miimon")


def _check_used(fact: str, mode: str, modes: tuple[str, ...], code: str) -> None:
    if mode not in modes:
        raise InvalidDocument(f"a bond in mode {mode} uses no {fact}, one in {', '.join(modes)} does", code=code)
