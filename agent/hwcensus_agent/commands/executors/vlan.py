"""VLANs on top of another interface, which is not touched by it."""

from collections.abc import Sequence
from dataclasses import replace

from hwcensus.command import Command
from hwcensus.creatable.link import chosen
from hwcensus.creatable.vlan import DEFAULT_PROTOCOL
from hwcensus.errors import Refused
from hwcensus_agent.commands.executors.link import LinkExecutor, find_interface
from hwcensus_agent.netlink.new_link import vlan_data
from hwcensus_agent.rtnetlink import Link, NewLink


class VlanTaken(Refused):
    """that VLAN is there already"""

    code = "vlan-taken"


class VlanExecutor(LinkExecutor):
    """A VLAN is one number of one protocol on one interface."""

    creates = "vlan"

    def lowers(self, command: Command, links: Sequence[Link]) -> list[Link]:
        assert command.device is not None, "the schema gives every create a device"
        return [find_interface(links, chosen(command.device, self.creates)["lower"])]

    def new_link(self, command: Command, links: Sequence[Link]) -> NewLink:
        """Raises InterfaceUnknown, VlanTaken."""
        assert command.device is not None, "the schema gives every create a device"
        said = chosen(command.device, self.creates)
        (lower,) = self.lowers(command, links)
        id_, protocol = int(said["id"]), said.get("protocol", DEFAULT_PROTOCOL)
        here = (link for link in links if link.kind == self.creates and not link.lower_is_foreign)
        for link in here:
            if (link.lower, link.vlan_id, link.vlan_protocol) == (lower.index, id_, protocol):
                raise VlanTaken(f"VLAN {id_} ({protocol}) of {lower.name} is there already, as {link.name}")
        return replace(super().new_link(command, links), lower=lower.index, data=vlan_data(id_, protocol))
