"""Ethernet bridges, with their first ports. A bridge has the least of its ports' addresses, as the kernel deals it."""

from hwcensus_agent.commands.executors.link import LinkExecutor


class BridgeExecutor(LinkExecutor):
    """Nothing of a bridge but name and ports is asked for."""

    creates = "bridge"
