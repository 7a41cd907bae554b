"""What the collector adds to the order of a virtual port: the adapter it is made on, and its names, reserved for it."""

from dataclasses import dataclass

from lxml import etree
from sqlalchemy import Connection

from hwcensus.creatable.vport import names, set_names
from hwcensus_collector.relay.adapter import fill_adapter
from hwcensus_collector.relay.ready import ReadyHost
from hwcensus_collector.wwns.allot import Allotter, Wanted


@dataclass(frozen=True, kw_only=True)
class PortWishes:
    """What is asked of the port beside its document, by which command."""

    command: str
    online: bool
    pool: str | None
    force: bool


def fill_vport(
    connection: Connection, allotter: Allotter, host: ReadyHost, creation: etree._Element, wishes: PortWishes
) -> None:
    """Completes a creation document. Raises what `fill_adapter` and `Allotter.allot` raise."""
    adapter = fill_adapter(connection, host, creation, online=wishes.online)
    given = names(creation)
    wanted = Wanted(
        command=wishes.command,
        host=host.id,
        parent=adapter.identity,
        wwpn=given.get("wwpn"),
        wwnn=given.get("wwnn"),
        pool=wishes.pool,
        force=wishes.force,
    )
    allotted = allotter.allot(wanted)
    set_names(creation, wwnn=allotted.wwnn, wwpn=allotted.wwpn)
