"""A spool knows whose it is: it keeps its host's id, and is set aside on another host."""

import json
from pathlib import Path

import pytest

from hwcensus.errors import ConfigError
from hwcensus.event import Evidence
from hwcensus_agent.model import Model
from hwcensus_agent.spool import Spool
from hwcensus_agent.wake import Awake, wake

HERE = Evidence(system_uuid="uuid-1", machine_id="machine-1", macs=("52:54:00:00:00:01",))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "spool.db"


def start(path: Path, evidence: Evidence, made: str = "made", configured: str | None = None) -> Awake:
    """One start of an agent; its spool is closed again."""
    awake = wake(configured, evidence, lambda: made, lambda: Spool(path, limit=1 << 20))
    awake.spool.close()
    return awake


def test_an_agent_that_may_read_less_than_before_keeps_the_hosts_id(path: Path) -> None:
    assert start(path, HERE, "uuid-1").host == "uuid-1"
    poorer = start(path, Evidence(machine_id="machine-1"), "hash-of-machine-1")
    assert (poorer.host, poorer.evidence) == ("uuid-1", HERE)
    assert list(path.parent.glob("*.set-aside-*")) == []


@pytest.mark.parametrize("configured, evidence", [(None, Evidence(system_uuid="uuid-2")), ("another", HERE)])
def test_the_spool_of_another_host_is_set_aside(path: Path, configured: str | None, evidence: Evidence) -> None:
    start(path, HERE)
    assert start(path, evidence, "made-2", configured).host == (configured or "made-2")
    assert len(list(path.parent.glob("*.set-aside-*"))) == 1


def test_a_host_without_any_id_is_told_what_to_do(path: Path) -> None:
    def none() -> str:
        raise ConfigError("give this host an id", code="no-host-id")

    with pytest.raises(ConfigError, match="id"):
        wake(None, Evidence(), none, lambda: Spool(path, limit=1 << 20))


def test_what_a_newer_agent_remembered_besides_keeps_nobody_from_starting(path: Path) -> None:
    start(path, HERE)
    spool = Spool(path, limit=1 << 20)
    kept = json.loads(spool.remembered("evidence") or "{}")
    spool.remember("evidence", json.dumps(kept | {"of_tomorrow": "yes"}))
    spool.remember("model", json.dumps({"facts": {}, "of_tomorrow": 1}))
    assert Model.remembered(spool) is None
    spool.close()
    assert start(path, HERE).evidence == HERE
