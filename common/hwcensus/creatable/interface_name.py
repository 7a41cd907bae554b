"""Names that an interface may be given."""

from hwcensus.errors import InvalidDocument

#: Bytes of an interface name with its closing zero (IFNAMSIZ, linux/if.h).
_IFNAMSIZ = 16


def check_interface_name(name: str) -> None:
    """The kernel's own rule, dev_valid_name() in net/core/dev.c. Raises InvalidDocument."""
    if len(name.encode()) >= _IFNAMSIZ:
        raise InvalidDocument(
            f"interface name {name!r} has {len(name.encode())} bytes, the kernel takes at most {_IFNAMSIZ - 1}",
            code="name-too-long",
        )
    # '%' is no part of that rule: the kernel takes a name with it for a pattern, and picks another.
    if name in ("", ".", "..") or any(char in "/:%" or char.isspace() for char in name):
        raise InvalidDocument(
            f"interface name {name!r} is not one the kernel takes: no '/', ':', '%' or blank, not '.' or '..'",
            code="bad-name",
        )
