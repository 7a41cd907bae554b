"""World Wide Names as people write them, which of them a new port may have, and what a device with one is called. Who
has which is not known here.

The 64-bit Name_Identifiers of FC-FS (INCITS 470): the first four bits (NAA) say the format. The T11 formats of other
lengths, as NAA 6 with 128 bits, name no port.
"""

import re

from hwcensus.errors import InvalidDocument

_WRITTEN = re.compile(r"(?:0[xX])?([0-9a-fA-F]{16})|([0-9a-fA-F]{2}(?::[0-9a-fA-F]{2}){7})")
#: NAA 1: IEEE 48-bit; 2: IEEE extended; 5: IEEE registered; C to F: mapped EUI-64. As `identity.py` takes them.
_FORMATS = "125cdef"
#: How the identity of a port begins (`identity.py`).
PORT = "scsi/wwpn/"


def read_wwn(text: str, field: str) -> str:
    """The sixteen lower-case digits of a name that is written with or without `0x`, or in pairs with colons.

    Raises InvalidDocument (`bad-wwn`) naming the field.
    """
    found = _WRITTEN.fullmatch(text.strip())
    if found is None:
        raise InvalidDocument(
            f"{field} {text[:80]!r} is no World Wide Name: 16 hex digits, also with 0x before or colons between pairs",
            code="bad-wwn",
        )
    return (found[1] or found[2].replace(":", "")).lower()


def check_new_wwn(wwn: str, field: str) -> None:
    """Whether a new port or node may be called so. Raises InvalidDocument (`zero-wwn`, `wrong-naa`)."""
    if set(wwn) == {"0"}:
        raise InvalidDocument(f"{field} {wwn} is zero, which names nothing", code="zero-wwn")
    if wwn[0] not in _FORMATS or set(wwn) == {"f"}:
        raise InvalidDocument(
            f"{field} {wwn} begins with {wwn[0]}: the 64-bit formats of FC-FS begin with 1, 2, 5 or c to f (NAA)",
            code="wrong-naa",
        )
    # lpfc refuses it too (lpfc_valid_wwn_format in lpfc_vport.c).
    if wwn[0] == "1" and wwn[1:4] != "000":
        raise InvalidDocument(
            f"{field} {wwn} begins with 1 (NAA, IEEE 48-bit address), after which FC-FS has three zeros",
            code="wrong-naa",
        )


def port_identity(wwpn: str) -> str:
    """The identity of the Fibre Channel port of this WWPN."""
    return f"{PORT}{wwpn}"


def port_wwpn(identity: str) -> str | None:
    """The reverse; None for what is no such port, or one without a WWPN of its own."""
    return identity.removeprefix(PORT) if identity.startswith(PORT) else None
