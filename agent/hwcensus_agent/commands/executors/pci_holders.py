"""Who uses a PCI function: the disks and files below it, and guests that have its IOMMU group open."""

from hwcensus_agent import sysfs
from hwcensus_agent.holders import holders, open_in_processes
from hwcensus_agent.nodes import nodes_below

#: Where the files are that guests have open (Documentation/driver-api/vfio.rst).
_VFIO_GROUPS = "/sys/devices/virtual/vfio"


def function_holders(sysroot: str, syspath: str) -> tuple[str, ...]:
    """In words. A guest has the whole group, and the kernel waits for it to let go."""
    group = sysfs.target(f"{sysroot}{syspath.removeprefix('/sys')}/iommu_group", sysroot)
    number = None if group is None else group.rpartition("/")[2]
    # The latter without an IOMMU (vfio_group_alloc() in drivers/vfio/group.c).
    files = [] if number is None else [
        node for name in (number, f"noiommu-{number}") for node in nodes_below(sysroot, f"{_VFIO_GROUPS}/{name}")
    ]  # fmt: skip
    return (*holders(sysroot, syspath), *open_in_processes(files))
