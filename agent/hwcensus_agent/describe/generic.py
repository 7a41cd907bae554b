"""What `include` asks for and no class of its own describes: that it is there, and what the kernel calls its kind."""

from hwcensus.classes.generic import Generic
from hwcensus_agent.describe.description import Description
from hwcensus_agent.describe.facts import Facts, worked_out
from hwcensus_agent.host import HostView
from hwcensus_agent.view import View


@worked_out(path="the kernel's subsystem")
def subsystem(view: View, _: HostView) -> str:
    return view.subsystem


@worked_out(sysfs="uevent `DEVTYPE`", rtnetlink="IFLA_INFO_KIND")
def kind(view: View, host: HostView) -> str | None:
    """The kind of a device within its subsystem: what `include = ["net:veth"]` names after the colon."""
    if view.devtype is not None or view.subsystem != "net":
        return view.devtype
    link = host.link(view)
    return None if link is None else link.kind


GENERIC = Facts(Generic, subsystem=subsystem, kind=kind)


def describe(view: View, host: HostView) -> Description:
    capability = GENERIC.of(view, host)
    return Description(capabilities=() if capability is None else (capability,))
