"""Taking a host out of service, and back: a person's word, which no agent undoes.

Whoever is retired is ordered nothing and asked nothing; what it tells is folded like any other's.
"""

from sqlalchemy import Connection, RowMapping, select, update

from hwcensus.errors import Refused
from hwcensus.instant import now
from hwcensus_collector.audit import Action, audit, by_hand
from hwcensus_collector.inventory.hosts import host_id
from hwcensus_collector.relay.steps import take_turn
from hwcensus_collector.tables import host


def retire(connection: Connection, wanted: str) -> str:
    """The host of this id or name is out of service from now on; gives its id. Raises Unknown, Ambiguous; Refused
    (`host-retired`) where it is already."""
    take_turn(connection)  # nobody orders anything of it meanwhile
    row = _locked(connection, wanted)
    if row["retired_at"] is not None:
        raise Refused(f"{row['name']} is retired already", code="host-retired")
    connection.execute(update(host).where(host.c.id == row["id"]).values(retired_at=now()))
    return _audited(connection, Action.HOST_RETIRE, row)


def unretire(connection: Connection, wanted: str) -> str:
    """It is in service again. Raises Unknown, Ambiguous; Refused (`not-retired`), with the ids of retired ones of that
    name."""
    take_turn(connection)
    row = _locked(connection, wanted)
    if row["retired_at"] is None:
        raise Refused(f"{row['name']} is not retired{_namesakes(connection, row['name'])}", code="not-retired")
    connection.execute(update(host).where(host.c.id == row["id"]).values(retired_at=None))
    return _audited(connection, Action.HOST_UNRETIRE, row)


def _locked(connection: Connection, wanted: str) -> RowMapping:
    columns = select(host.c.id, host.c.name, host.c.retired_at)
    query = columns.where(host.c.id == host_id(connection, wanted)).with_for_update()
    return connection.execute(query).mappings().one()


def _namesakes(connection: Connection, name: str) -> str:
    """The end of a sentence that names the retired hosts of this name; empty where there are none."""
    query = select(host.c.id).where(host.c.name == name, host.c.retired_at.is_not(None)).order_by(host.c.id)
    ids = connection.execute(query).scalars().all()
    return f", but its namesake is: give the id {' or '.join(ids)}" if ids else ""


def _audited(connection: Connection, action: Action, row: RowMapping) -> str:
    audit(connection, by_hand(action, row["id"], {"name": row["name"]}))
    return str(row["id"])
