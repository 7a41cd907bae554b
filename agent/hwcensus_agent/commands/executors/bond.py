"""Bonds, with their first ports. What the document leaves open, the bonding driver chooses.

A kernel that loads the driver for the first bond makes a `bond0` besides, unless its `max_bonds` is 0.
"""

from collections.abc import Sequence
from dataclasses import replace

from hwcensus.command import Command
from hwcensus.creatable.link import chosen
from hwcensus_agent.commands.executors.link import LinkExecutor
from hwcensus_agent.netlink.new_link import bond_data
from hwcensus_agent.rtnetlink import Link, NewLink


class BondExecutor(LinkExecutor):
    """A port is taken down to be enslaved, and the bond brings it up."""

    creates = "bond"

    def new_link(self, command: Command, links: Sequence[Link]) -> NewLink:
        assert command.device is not None, "the schema gives every create a device"
        said = chosen(command.device, self.creates)
        data = bond_data(
            mode=said.get("mode"),
            miimon=int(said["miimon"]) if "miimon" in said else None,
            xmit_policy=said.get("xmit_policy"),
            lacp_rate=said.get("lacp_rate"),
        )
        return replace(super().new_link(command, links), data=data)
