"""The audit over HTTP: what was done stands there, the last first, and is found by who, what, of what and when."""

import getpass
from collections.abc import Iterator
from datetime import timedelta

import httpx
import pytest
from sqlalchemy import Engine, Executable, delete, event, select, update
from sqlalchemy.exc import IntegrityError

from hwcensus import log
from hwcensus.instant import now
from hwcensus_collector import main, tables
from hwcensus_collector.audit import Action, Deed, audit
from hwcensus_collector.database import writing
from hwcensus_collector.inventory.audit import AuditFilter, list_deeds
from hwcensus_collector.inventory.cursor import Window
from hwcensus_collector.relay.lifecycle import State
from tests.wire.census_world import served
from tests.wire.relay_world import HOST, bridge, queue
from tests.wire.san_world import FIRST, LAST, order, san_database, told, vport

ME = f"local:{getpass.getuser()}"
NAME = "db7.example.org"


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = san_database(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def http(engine: Engine) -> Iterator[httpx.Client]:
    with served(engine) as url, httpx.Client(base_url=url, trust_env=False, timeout=60) as client:
        yield client


def by_hand(monkeypatch: pytest.MonkeyPatch, database_url: str, *words: str) -> None:
    """`hwcensus-collector …`"""
    monkeypatch.setattr(log, "setup", lambda **_: None)  # the tests' own logging stays
    assert main.main([*words, "--database-url", database_url]) == 0


def asked(http: httpx.Client, **query: str | int) -> list[tuple[str, str]]:
    """(who, what) of the deeds that this question gets."""
    answer = http.get("/v1/audit", params=query)
    assert answer.status_code == 200, answer.text
    return [(one["actor"], one["action"]) for one in answer.json()["items"]]


def note(engine: Engine, action: Action, *, actor: str = "local:bob", subject: str = "x", ago: float = 0.0) -> None:
    """A deed of so many seconds ago, as its door writes it."""
    deed = Deed(
        at=now() - timedelta(seconds=ago), actor=actor, door="cli", action=action, subject=subject, detail={"host": "h"}
    )
    with writing(engine) as connection:
        audit(connection, deed)


def test_a_commands_life_is_read_the_last_step_first_with_all_that_is_known_of_it(
    engine: Engine, http: httpx.Client
) -> None:
    made = queue(engine)
    told(engine, made.id, "failed", code="name-taken")
    first, *_, last = http.get("/v1/audit", params={"subject": made.id}).json()["items"]
    assert {key: first[key] for key in ("actor", "door", "action", "subject", "detail")} == {
        "actor": HOST,
        "door": "agent",
        "action": "command.failed",
        "subject": made.id,
        "detail": {"host": HOST, "type": "create", "from": "dispatched", "code": "name-taken"},
    }
    assert (last["actor"], last["action"]) == ("alice", "command.queued")
    assert (first["id"] > last["id"], first["at"] >= last["at"]) == (True, True)


def test_what_a_host_refused_as_forged_is_read_by_the_hosts_name(engine: Engine, http: httpx.Client) -> None:
    told(engine, "0192e7ff", "failed", code="bad-signature")
    (forged,) = http.get("/v1/audit", params={"action": "command.refused", "actor": NAME}).json()["items"]
    assert (forged["actor"], forged["subject"]) == (HOST, "0192e7ff")
    assert forged["detail"] == {"host": HOST, "state": "failed", "code": "bad-signature"}


def test_the_id_of_a_forged_command_may_be_of_any_length(engine: Engine, http: httpx.Client) -> None:
    """An index entry of PostgreSQL has a limit, and what is refused for it would not be audited."""
    forged = "".join(chr(0x4E00 + number) for number in range(5000))
    told(engine, forged, "failed", code="unknown-key")
    (one,) = http.get("/v1/audit").json()["items"]
    assert (one["action"], one["subject"]) == ("command.refused", f"{forged[:64]}…")


def test_a_name_released_by_hand_and_a_host_taken_out_of_service_are_read_with_the_person(
    engine: Engine, http: httpx.Client, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    wwpn = "20000025b5ff0001"
    told(engine, order(engine, vport(wwpn)).id, "failed", code="interrupted")
    by_hand(monkeypatch, database_url, "wwn", "release", wwpn)
    by_hand(monkeypatch, database_url, "host", "retire", NAME)
    retired, released = http.get("/v1/audit", params={"actor": ME}).json()["items"]
    assert (released["action"], released["door"], released["subject"]) == ("wwn.release", "cli", wwpn)
    assert released["detail"] == {"host": HOST}
    assert (retired["action"], retired["subject"], retired["detail"]) == ("host.retire", HOST, {"name": NAME})
    assert asked(http, subject=NAME) == asked(http, subject=HOST) == [(ME, "host.retire")]
    assert asked(http, subject=wwpn) == [(ME, "wwn.release")]


def test_who_has_a_login_that_is_no_text_is_somebody_of_this_machine(
    engine: Engine, http: httpx.Client, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGNAME", "\udcff")
    by_hand(monkeypatch, database_url, "host", "retire", NAME)
    assert asked(http, subject=HOST) == [("local", "host.retire")]


def test_a_pool_and_a_batch_are_read_by_their_names(
    engine: Engine, http: httpx.Client, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_hand(monkeypatch, database_url, "wwn", "pool", "add", "prod", FIRST, LAST)
    by_hand(monkeypatch, database_url, "wwn", "pool", "remove", "prod")
    assert asked(http, subject="prod") == [(ME, "wwn-pool.remove"), (ME, "wwn-pool.add")]
    assert asked(http, subject="prod", action="wwn-pool.add") == [(ME, "wwn-pool.add")]
    batch = http.post(f"/v1/batches?host={HOST}", content=bridge(), headers={"X-Hwcensus-Actor": "alice"}).json()["id"]
    http.post(f"/v1/batches/{batch}/cancel")
    assert asked(http, subject=batch) == [("local", "batch.stopped"), ("local:alice", "batch.queued")]


def test_an_action_that_ends_with_a_dot_stands_for_all_that_begin_so(engine: Engine, http: httpx.Client) -> None:
    for action in (Action.WWN_IMPORT, Action.POOL_ADD, Action.WWN_RELEASE, Action.HOST_RETIRE, Action.WWN_IMPORT):
        note(engine, action)
    assert [action for _, action in asked(http, action="wwn.")] == ["wwn.import", "wwn.release", "wwn.import"]
    assert [action for _, action in asked(http, action="wwn.import")] == ["wwn.import"] * 2
    assert asked(http, action="host.", actor="local:alice") == []
    for unknown, nearest in (("wwn.relase", "wwn.release"), ("wwn", ""), ("", ""), (".", ""), ("host.ret", "")):
        problem = http.get("/v1/audit", params={"action": unknown}).json()
        assert problem["code"] == "unknown-action"
        assert nearest in problem["nearest"] or not nearest


def test_every_step_of_a_commands_life_is_an_action() -> None:
    assert {f"command.{state}" for state in State} <= set(Action)


@pytest.mark.parametrize("action", [None, "wwn.", "wwn.import"])
def test_pages_follow_each_other_whatever_is_written_meanwhile(
    engine: Engine, http: httpx.Client, action: str | None
) -> None:
    for number in range(7):
        note(engine, Action.WWN_RELEASE if number % 3 == 0 and action != "wwn.import" else Action.WWN_IMPORT, ago=60)
    query = {"limit": "3", "since": "1h"} | ({} if action is None else {"action": action})
    found: list[int] = []
    cursor: str | None = ""
    while cursor is not None:
        page = http.get("/v1/audit", params=query | ({"cursor": cursor} if cursor else {})).json()
        found += [one["id"] for one in page["items"]]
        cursor = page["next"]
        note(engine, Action.WWN_IMPORT)
    assert len(found) == 7
    assert found == sorted(found, reverse=True)
    first = http.get("/v1/audit", params=query).json()["next"]
    assert http.get("/v1/audit", params={"actor": "relay", "cursor": first}).json()["code"] == "bad-cursor"


def test_the_beginning_of_a_time_is_sought_for_the_first_page_alone(engine: Engine) -> None:
    """All of that time are looked through for it."""
    for _ in range(5):
        note(engine, Action.WWN_IMPORT, ago=60)
    found: list[int] = []
    sought: list[int] = []

    @event.listens_for(engine, "before_cursor_execute")
    def seek(_: object, __: object, statement: str, *rest: object) -> None:
        if "min(" in statement:
            sought.append(len(found))

    cursor: str | None = None
    with engine.connect() as connection:
        for moved_on in range(3):
            window, since = Window(limit=2, cursor=cursor), now() - timedelta(seconds=3600 - moved_on)
            page = list_deeds(connection, AuditFilter(), window, since=since)
            found += [one.id for one in page.items]
            cursor = page.next
    assert (len(found), cursor, sought) == (5, None, [0])


def test_a_page_of_an_earlier_time_than_that_before_has_what_was_written_earlier(
    engine: Engine, http: httpx.Client
) -> None:
    for ago in (3 * 3600, 60, 60, 60):
        note(engine, Action.WWN_IMPORT, ago=ago)
    first = http.get("/v1/audit", params={"limit": "2", "since": "1h"}).json()
    rest = http.get("/v1/audit", params={"since": "7d", "cursor": first["next"]}).json()
    ids = [one["id"] for one in (*first["items"], *rest["items"])]
    assert (len(ids), ids) == (4, sorted(ids, reverse=True))
    assert http.get("/v1/audit", params={"cursor": first["next"]}).json()["code"] == "bad-cursor"


def test_a_time_is_when_it_was_done_and_the_order_that_in_which_it_was_written(
    engine: Engine, http: httpx.Client
) -> None:
    """A host that was away tells late what it did, and its clock may be behind ours."""
    note(engine, Action.HOST_RETIRE, ago=3 * 3600)
    note(engine, Action.HOST_UNRETIRE, ago=10)
    note(engine, Action.HOST_ACCEPT, ago=2 * 3600)
    all_ = [("local:bob", f"host.{what}") for what in ("accept", "unretire", "retire")]
    assert asked(http) == asked(http, since="7d") == all_
    assert asked(http, since="1h") == [all_[1]]
    assert asked(http, until="1h") == [all_[0], all_[2]]
    assert asked(http, since="150m", until="1h") == [all_[0]]
    assert asked(http, since="1s") == []


def test_it_is_only_read(engine: Engine, http: httpx.Client) -> None:
    note(engine, Action.HOST_RETIRE)
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        answer = http.request(method, "/v1/audit")
        assert (answer.status_code, answer.json()["code"]) == (405, "method-not-allowed")
    assert asked(http) == [("local:bob", "host.retire")]


@pytest.mark.parametrize(
    "tampering", [update(tables.audit).values(actor="local:eve"), delete(tables.audit)], ids=["changed", "deleted"]
)
def test_the_database_lets_nobody_change_what_was_written(engine: Engine, tampering: Executable) -> None:
    note(engine, Action.HOST_RETIRE)
    with pytest.raises(IntegrityError, match="the audit stays as it was written"), writing(engine) as connection:
        connection.execute(tampering)
    with engine.connect() as connection:
        assert connection.execute(select(tables.audit.c.actor)).scalars().all() == ["local:bob"]
