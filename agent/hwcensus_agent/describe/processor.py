"""Processors, a package each: topology by sysfs (kernel ABI sysfs-devices-system-cpu), what they are by the kernel.

The kernel shows no topology of a CPU that is switched off. What is counted by it cannot be read then, and stays as it
was last published.
"""

import re
from collections.abc import Callable

from hwcensus.classes.processor import Processor, ProcessorState
from hwcensus.fact import Value
from hwcensus_agent import processors
from hwcensus_agent.describe.description import Description
from hwcensus_agent.describe.facts import Facts, From, first, stated, worked_out
from hwcensus_agent.host import HostView
from hwcensus_agent.sysfs import Unreadable
from hwcensus_agent.view import View

#: Vendor numbers of x86 in a CPU's modalias (arch/x86/include/asm/processor.h) → what cpuid calls them.
X86_VENDORS = {0: "GenuineIntel", 2: "AuthenticAMD", 5: "CentaurHauls", 9: "HygonGenuine", 10: "Shanghai"}
#: Implementers of Arm processors (util-linux, sys-utils/lscpu-arm.c).
IMPLEMENTERS = {0x41: "ARM", 0x42: "Broadcom", 0x43: "Cavium", 0x46: "FUJITSU", 0x48: "HiSilicon", 0x4D: "Motorola",
                0x4E: "NVIDIA", 0x50: "APM", 0x51: "Qualcomm", 0x53: "Samsung", 0x56: "Marvell", 0x61: "Apple",
                0x69: "Intel", 0x6D: "Microsoft", 0x70: "Phytium", 0xC0: "Ampere"}  # fmt: skip

_MODALIAS = re.compile(r"cpu:type:x86,ven([0-9A-F]{4})fam([0-9A-F]{4})mod([0-9A-F]{4}):.*")


def cpuinfo(*keys: str) -> From:
    """The first of these keys that /proc/cpuinfo has of a CPU in the package; architectures differ in them."""

    def read(view: View, host: HostView) -> str | None:
        said = host.cpuinfo.get(int(view.kernel_name), {})
        return next((said[key] for key in keys if said.get(key)), None)

    return stated(read, kernel="/proc/cpuinfo " + ", ".join(f"`{key}`" for key in keys))


def numbered(*keys: str) -> From:
    """The same as a number."""
    source = cpuinfo(*keys)

    def read(view: View, host: HostView) -> int | None:
        found = source.read(view, host)
        return int(found, 0) if isinstance(found, str) else None

    return stated(read, **source.origins)


def modalias(part: int, names: Callable[[int], Value | None] = int) -> From:
    """Vendor, family or model of an x86 processor."""

    def read(view: View, _: HostView) -> Value | None:
        found = _MODALIAS.fullmatch(view.text("modalias") or "")
        return None if found is None else names(int(found[part], 16))

    return stated(read, sysfs="`modalias`")


@worked_out(kernel="/proc/cpuinfo `CPU implementer`, by name")
def implementer(view: View, host: HostView) -> str | None:
    said = host.cpuinfo.get(int(view.kernel_name), {}).get("CPU implementer")
    return None if said is None else IMPLEMENTERS.get(int(said, 16))


@worked_out(kernel="/proc/cpuinfo `stepping`, of Arm `CPU variant` and `CPU revision`")
def stepping(view: View, host: HostView) -> str | None:
    said = host.cpuinfo.get(int(view.kernel_name), {})
    if "CPU variant" in said and "CPU revision" in said:
        return f"r{int(said['CPU variant'], 16)}p{int(said['CPU revision'])}"
    return said.get("stepping")


@worked_out(sysfs="its CPUs' `topology/thread_siblings_list`, how many there are")
def cores(view: View, host: HostView) -> int | None:
    if host.topology.hidden and view.text("smt/control") not in ("off", "forceoff"):
        raise Unreadable("CPUs are switched off, and show no topology")
    siblings = {view.text(f"cpu{cpu}/topology/thread_siblings_list") for cpu in _cpus(view, host)}
    return None if None in siblings else len(siblings)


@worked_out(sysfs="number of its CPUs, by `topology/physical_package_id`")
def threads(view: View, host: HostView) -> int | None:
    if host.topology.hidden:
        raise Unreadable("CPUs are switched off, and show no topology")
    return len(_cpus(view, host))


@worked_out(sysfs="number of its CPUs that are `online`")
def online(view: View, host: HostView) -> int | None:
    return sum(1 for cpu in _cpus(view, host) if view.text(f"cpu{cpu}/online") != "0")


@worked_out(sysfs="its CPUs' `cpufreq/cpuinfo_max_freq`, the highest")
def max_mhz(view: View, host: HostView) -> int | None:
    found = [view.text(f"cpu{cpu}/cpufreq/cpuinfo_max_freq") for cpu in _cpus(view, host)]
    return max((int(khz) // 1000 for khz in found if khz is not None), default=0) or None


@worked_out(sysfs="`node/node*/cpulist` that name one of its CPUs")
def numa_nodes(view: View, host: HostView) -> tuple[int, ...]:
    cpus = set(_cpus(view, host))
    nodes = [name for name in view.children("node", "../node") if name[4:].isdecimal()]
    its = (name for name in nodes if cpus & processors.members(view.text(f"../node/{name}/cpulist") or ""))
    return tuple(sorted(int(name[4:]) for name in its))


@worked_out(sysfs="its first CPU's `microcode/version`", kernel="/proc/cpuinfo `microcode`")
def microcode(view: View, host: HostView) -> str | None:
    said = host.cpuinfo.get(int(view.kernel_name), {}).get("microcode")
    return said or next((view.text(f"cpu{cpu}/microcode/version") for cpu in _cpus(view, host)), None)


@worked_out(path="the number in its key")
def package(view: View, _: HostView) -> int:
    return int(view.kernel_name)


def _cpus(view: View, host: HostView) -> tuple[int, ...]:
    return host.topology.packages.get(int(view.kernel_name), ())


PROCESSOR = Facts(
    Processor,
    package=package,
    model=cpuinfo("model name", "cpu"),
    vendor=first(cpuinfo("vendor_id"), modalias(1, X86_VENDORS.get), implementer),
    family=first(numbered("cpu family", "CPU architecture"), modalias(2)),
    model_number=first(numbered("model", "CPU part"), modalias(3)),
    stepping=stepping,
    cores=cores,
    threads=threads,
    max_mhz=max_mhz,
    numa_nodes=numa_nodes,
)

STATE = Facts(ProcessorState, Processor, microcode=microcode, online=online)


def describe(view: View, host: HostView) -> Description | None:
    """None for a package that is not there any more."""
    processor = PROCESSOR.of(view, host, state=STATE.of(view, host)) if _cpus(view, host) else None
    return None if processor is None else Description(capabilities=(processor,))
