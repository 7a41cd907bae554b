"""How much memory the host has: the sum of its modules, or of the blocks that the kernel has online.

Modules as devices of their own are not described here.
"""

from hwcensus_agent.view import View

KIB, MIB = 1 << 10, 1 << 20
EXTENDED, UNKNOWN, IN_KIB = 0x7FFF, 0xFFFF, 0x8000


def of_modules(view: View) -> int | None:
    """Bytes; None where there is no SMBIOS. Raises Unreadable where only root may read it."""
    entries = view.children("17-", "../firmware/dmi/entries")
    sizes = [module_size(view.raw(f"../firmware/dmi/entries/{entry}/raw") or b"") for entry in entries]
    return sum(sizes) or None


def module_size(entry: bytes) -> int:
    """Bytes of one memory device (DSP0134, type 17: size at 0Ch, extended size at 1Ch); 0 for an empty slot."""
    if len(entry) < 0x0E:
        return 0
    size = int.from_bytes(entry[0x0C:0x0E], "little")
    if size in (0, UNKNOWN):
        return 0
    if size == EXTENDED:
        return (int.from_bytes(entry[0x1C:0x20], "little") & 0x7FFFFFFF) * MIB
    return (size & 0x7FFF) * KIB if size & IN_KIB else size * MIB


def of_blocks(view: View) -> int | None:
    """Bytes that are online, in whole blocks; None where the kernel does not count them."""
    size = view.text("system/memory/block_size_bytes")
    if size is None:
        return None
    blocks = view.children("memory", "system/memory")
    online = sum(1 for block in blocks if view.text(f"system/memory/{block}/state") == "online")
    return online * int(size, 16) or None
