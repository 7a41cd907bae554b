"""What `include` asks for and no class of its own describes: that it is there, and what the kernel calls its kind."""

from hwcensus.classes.generic import Generic
from hwcensus_agent.describe.description import Description
from hwcensus_agent.describe.facts import Facts, uevent, worked_out
from hwcensus_agent.host import HostView
from hwcensus_agent.view import View


@worked_out(path="the kernel's subsystem")
def subsystem(view: View, _: HostView) -> str:
    return view.subsystem


GENERIC = Facts(Generic, subsystem=subsystem, kind=uevent("DEVTYPE"))


def describe(view: View, host: HostView) -> Description:
    capability = GENERIC.of(view, host)
    return Description(capabilities=() if capability is None else (capability,))
