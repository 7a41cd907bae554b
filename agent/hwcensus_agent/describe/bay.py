"""Where a drive sits: the enclosure's bay, as its services processor (kernel's ses.c) or the SAS adapter tells.

No drive of a SAN is looked at: its enclosure is somebody else's.
"""

import errno
import re

from hwcensus_agent.describe.drive_ids import SAN
from hwcensus_agent.describe.facts import worked_out
from hwcensus_agent.host import HostView
from hwcensus_agent.view import View

LINK = "enclosure_device:"
#: The block device's path from its logical unit, and the SAS port that it is behind.
_UNIT = re.compile(r"(?:/(?P<port>end_device-[\d:]+))?/target[\d:]+/[\d:]+/[^/]+/[^/]+$")
NOT_KNOWN = frozenset({errno.EINVAL})  # to the adapter's driver (kernel's scsi_transport_sas.c)


@worked_out(sysfs="link `enclosure_device:…` of its logical unit: what follows the colon; else SAS `bay_identifier`")
def bay(view: View, _: HostView) -> str | None:
    link = _link(view)
    if link is not None:
        return link.removeprefix(LINK) or None
    unit = _UNIT.search(view.syspath)
    port = None if unit is None else unit["port"]
    path = f"../../../../sas_device/{port}/bay_identifier"
    return None if port is None else view.text(path, absent=NOT_KNOWN)


@worked_out(sysfs="where that link leads")
def enclosure(view: View, host: HostView) -> str | None:
    link = _link(view)
    slot = None if link is None else view.link(f"../../{link}")
    return None if slot is None else host.name_of(slot.rpartition("/")[0])


def _link(view: View) -> str | None:
    if _UNIT.search(view.syspath) is None or SAN.search(view.syspath) is not None:
        return None
    return next(iter(view.children(LINK, "../..")), None)
