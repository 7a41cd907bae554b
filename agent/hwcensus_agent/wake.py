"""Opening the spool, and with it knowing which host this is; a spool that woke up on another host is set aside."""

import json
import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields

from hwcensus.event import Evidence
from hwcensus.instant import now
from hwcensus_agent.spool import Spool

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Awake:
    """A spool that is this host's."""

    host: str
    #: What was read now, and for what cannot be read now, what was read before.
    evidence: Evidence
    spool: Spool


def wake(configured: str | None, evidence: Evidence, made: Callable[[], str], open_spool: Callable[[], Spool]) -> Awake:
    """The spool of this host. It remembers the id: an agent that may read less than its predecessor keeps it.

    `made` works out the id of a host that has none yet. The spool of another host, by a configured id or by evidence
    that contradicts, is set aside. Raises SpoolError, and what `made` raises.
    """
    spool = open_spool()
    former, remembered = _remembered(spool), spool.remembered("host")
    if former.contradicts(evidence) or (configured is not None and remembered not in (None, configured)):
        spool, former, remembered = _set_aside(spool, open_spool), Evidence(), None
    try:
        host = configured or remembered or made()
    except BaseException:
        spool.close()
        raise
    known = Evidence(
        system_uuid=evidence.system_uuid or former.system_uuid,
        board_serial=evidence.board_serial or former.board_serial,
        machine_id=evidence.machine_id or former.machine_id,
        macs=evidence.macs or former.macs,
    )
    spool.remember("host", host)
    spool.remember("evidence", json.dumps(asdict(known)))
    return Awake(host=host, evidence=known, spool=spool)


def _set_aside(spool: Spool, open_spool: Callable[[], Spool]) -> Spool:
    spool.close()
    aside = spool.path.with_name(f"{spool.path.name}.set-aside-{now():%Y%m%dT%H%M%S}")
    spool.path.rename(aside)
    logger.warning("the spool was another host's and was set aside", extra={"file": str(aside)})
    return open_spool()


def _remembered(spool: Spool) -> Evidence:
    told = spool.remembered("evidence")
    if told is None:
        return Evidence()
    kept = json.loads(told)
    known = {field.name: kept[field.name] for field in fields(Evidence) if field.name in kept}
    return Evidence(**known | {"macs": tuple(kept.get("macs", ()))})
