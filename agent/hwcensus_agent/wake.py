"""Opening the spool of this host, and setting aside one that woke up on another: a cloned image, a moved disk."""

import json
import logging
from collections.abc import Callable
from dataclasses import asdict

from hwcensus.event import Evidence
from hwcensus.instant import now
from hwcensus_agent.spool import Spool

logger = logging.getLogger(__name__)


def wake(host: str, evidence: Evidence, open_spool: Callable[[], Spool]) -> Spool:
    """The spool, remembering this host; an empty one where the old one remembered another.

    Raises SpoolError.
    """
    spool = open_spool()
    if _is_anothers(spool, host, evidence):
        spool.close()
        aside = spool.path.with_name(f"{spool.path.name}.set-aside-{now():%Y%m%dT%H%M%S}")
        spool.path.rename(aside)
        logger.warning("the spool was another host's and was set aside", extra={"file": str(aside)})
        spool = open_spool()
    spool.remember("host", host)
    spool.remember("evidence", json.dumps(asdict(evidence)))
    return spool


def _is_anothers(spool: Spool, host: str, evidence: Evidence) -> bool:
    remembered, told = spool.remembered("host"), spool.remembered("evidence")
    if remembered is None or told is None:
        return False
    fields = json.loads(told)
    former = Evidence(**fields | {"macs": tuple(fields["macs"])})
    return remembered != host or former.contradicts(evidence)
