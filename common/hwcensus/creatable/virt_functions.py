"""How many virtual functions a physical PCI function has (SR-IOV): none, or so many as it can have.

The function is there already: it is the parent of what is made, and the number is a state of its `pci` capability.
"""

from lxml import etree

from hwcensus.errors import InvalidDocument

#: NumVFs is a register of 16 bits (PCI Express Base Specification, SR-IOV Extended Capability).
MOST = 0xFFFF


def check(device: etree._Element) -> None:
    """Raises InvalidDocument."""
    (pci,) = device.findall("capability")
    parent = device.findtext("parent")
    if parent is None:
        raise InvalidDocument("a number of virtual functions wants the physical one as <parent>", code="no-parent")
    if not parent.startswith("pci_"):
        raise InvalidDocument(
            f"parent {parent!r} is no PCI function's name, such as pci_0000_05_00_0", code="bad-parent"
        )
    for fact in pci.iterdescendants():
        if fact.tag != "state" or fact.getparent() is not pci or set(fact.attrib) != {"virt_functions"}:
            text = f"<{fact.tag}> of a PCI function cannot be chosen, only <state virt_functions=…/>"
            raise InvalidDocument(text, code="bad-creation")
    state = pci.find("state")
    text = "" if state is None else state.get("virt_functions", "")
    if not text.isdecimal() or int(text) > MOST:
        raise InvalidDocument(f"virt_functions {text!r} is no number from 0 to {MOST}", code="bad-vf-count")


def wanted(device: etree._Element) -> int:
    """How many there shall be."""
    state = device.find("capability/state")
    return 0 if state is None else int(state.get("virt_functions", "0"))
