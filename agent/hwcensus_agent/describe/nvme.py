"""NVMe controllers, by the attributes of the kernel's driver; HAL knows none. Namespaces are in `storage.py`."""

from hwcensus.classes.nvme import Nvme, NvmeState
from hwcensus_agent.describe.description import Description
from hwcensus_agent.describe.drive_ids import on_a_san
from hwcensus_agent.describe.facts import Facts, text
from hwcensus_agent.host import HostView
from hwcensus_agent.view import View

NVME = Facts(
    Nvme,
    model=text("model"),
    serial=text("serial"),
    serial_san=on_a_san(text("serial")),
    firmware=text("firmware_rev"),
    transport=text("transport"),
    nqn=text("subsysnqn"),
)

STATE = Facts(NvmeState, Nvme, controller=text("state"))


def describe(view: View, host: HostView) -> Description:
    return Description(capabilities=(NVME.of(view, host, state=STATE.of(view, host)) or Nvme(),))
