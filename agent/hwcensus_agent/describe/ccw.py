"""Channel-attached devices: disks, tapes, consoles, network cards of IBM Z. Those that are offline too."""

from hwcensus.classes.ccw import CcwBus, CcwState
from hwcensus_agent.describe.description import Description
from hwcensus_agent.describe.facts import Facts, first, flag, hal, in_name, text, worked_out
from hwcensus_agent.host import HostView
from hwcensus_agent.view import View

NAME = r"([0-9a-f]{1,2})\.([0-9a-f])\.([0-9a-f]{4})"
NOT_KNOWN = "n/a"  # what `devtype` says where the device has none


@worked_out(sysfs="`devtype`")
def device_type(view: View, _: HostView) -> str | None:
    found = view.text("devtype")
    return None if found == NOT_KNOWN else found


@worked_out(hal="`ccw.online`")
def hal_online(view: View, _: HostView) -> bool | None:
    found = view.hal("ccw.online")
    return found != 0 if isinstance(found, int) else None


BUS = Facts(
    CcwBus,
    device_type=first(device_type, hal("ccw.devtype")),
    control_unit=first(text("cutype"), hal("ccw.cutype")),
    cssid=in_name(NAME, 1),
    ssid=in_name(NAME, 2),
    number=in_name(NAME, 3),
)

# HAL's own code spells the second key without its third i (hald/linux/device.c).
STATE = Facts(
    CcwState,
    CcwBus,
    online=first(flag("online"), hal_online),
    availability=first(text("availability"), hal("ccw.availablity"), hal("ccw.availability")),
)


def describe(view: View, host: HostView) -> Description:
    return Description(bus=BUS.of(view, host, state=STATE.of(view, host)))
