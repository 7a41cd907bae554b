"""How much memory the host has: the sum of its modules, or of the blocks that the kernel has online."""

from hwcensus_agent.describe import dimm
from hwcensus_agent.host import HostView
from hwcensus_agent.view import View


def of_modules(host: HostView) -> int | None:
    """Bytes; None where there is no SMBIOS. Raises Unreadable where only root may read it.

    Firmware counts the chip that it is in itself among the modules (ThinkPads, HP).
    """
    return sum(dimm.size_of(module) or 0 for module in host.memory_devices if dimm.is_memory(module)) or None


def empty_slots(host: HostView) -> tuple[str, ...]:
    """What is printed beside the slots that nothing is in. Raises Unreadable."""
    locators = (slot.text(0x10) for slot in host.memory_devices if dimm.is_empty(slot))
    return tuple(sorted(locator for locator in locators if locator is not None))


def of_blocks(view: View) -> int | None:
    """Bytes that are online, in whole blocks; None where the kernel does not count them."""
    size = view.text("system/memory/block_size_bytes")
    if size is None:
        return None
    blocks = view.children("memory", "system/memory")
    online = sum(1 for block in blocks if view.text(f"system/memory/{block}/state") == "online")
    return online * int(size, 16) or None
