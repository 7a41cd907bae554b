"""SCSI targets, and the remote Fibre Channel port that one is below. HAL does not know targets."""

from hwcensus.classes.scsi_target import FcRemotePort, FcRemotePortState, ScsiTarget
from hwcensus_agent.describe.description import Description
from hwcensus_agent.describe.facts import Facts, number_in_name
from hwcensus_agent.describe.fc import above, attribute, known, made, wwn
from hwcensus_agent.host import HostView
from hwcensus_agent.view import View

REMOTE_PORT = above("rport-")
NO_ID = "ffffffff"
NAME = r"target(\d+):(\d+):(\d+)"


def port_id(text: str) -> str | None:
    digits = text.lower().removeprefix("0x")
    return None if digits == NO_ID else digits


TARGET = Facts(ScsiTarget, host=number_in_name(NAME, 1), bus=number_in_name(NAME, 2), target=number_in_name(NAME, 3))

PORT = Facts(
    FcRemotePort,
    wwnn=made(attribute("fc_remote_ports", "node_name", REMOTE_PORT), wwn),
    wwpn=made(attribute("fc_remote_ports", "port_name", REMOTE_PORT), wwn),
    roles=made(attribute("fc_remote_ports", "roles", REMOTE_PORT), known),
)

STATE = Facts(
    FcRemotePortState,
    FcRemotePort,
    port_id=made(attribute("fc_remote_ports", "port_id", REMOTE_PORT), port_id),
    port=attribute("fc_remote_ports", "port_state", REMOTE_PORT),
)


def describe(view: View, host: HostView) -> Description:
    found = TARGET.of(view, host, nested=(PORT.of(view, host, state=STATE.of(view, host)),))
    return Description(capabilities=() if found is None else (found,))
