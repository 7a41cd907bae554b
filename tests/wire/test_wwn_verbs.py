"""Pools and names by hand: `hwcensus-collector wwn …`, and the same read over HTTP."""

import io
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from sqlalchemy import Engine, select, update

from hwcensus import log
from hwcensus.errors import Refused
from hwcensus_collector import main, tables
from hwcensus_collector.database import writing
from tests.wire.census_world import served
from tests.wire.relay_world import HOST
from tests.wire.san_world import (
    FIRST,
    LAST,
    PORT5,
    PORT6,
    add_port,
    named,
    order,
    remove,
    row_of,
    san_database,
    told,
    vport,
)

Verb = Callable[..., tuple[int, list[str], str]]


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = san_database(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def wwn(engine: Engine, database_url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Verb:
    """Runs a verb: exit code, lines, and what it says of an error."""
    # The tests' own logging stays.
    monkeypatch.setattr(log, "setup", lambda **_: None)

    def verb(*words: str) -> tuple[int, list[str], str]:
        capsys.readouterr()
        code = main.main(["wwn", *words, "--database-url", database_url])
        said = capsys.readouterr()
        return code, said.out.splitlines(), said.err

    return verb


@pytest.fixture
def http(engine: Engine) -> Iterator[httpx.Client]:
    with served(engine) as url, httpx.Client(base_url=url, trust_env=False, timeout=60) as client:
        yield client


def actions(engine: Engine) -> list[tuple[str, str]]:
    table = tables.audit
    with engine.begin() as connection:
        query = select(table.c.action, table.c.subject).where(table.c.door == "cli").order_by(table.c.id)
        return [(row.action, row.subject) for row in connection.execute(query)]


def test_a_pool_is_added_listed_and_removed(engine: Engine, wwn: Verb) -> None:
    assert wwn("pool", "add", "prod", "0x20000025B5AA0000", "20:00:00:25:b5:aa:00:ff")[:2] == (
        0, [f"prod ({FIRST} to {LAST})"]
    )  # fmt: skip
    order(engine, pool="prod")
    listed = f"prod  {FIRST} to {LAST}  wwnn each its own  reserved 1  held 0  quarantined 0  of 256"
    assert wwn("pool", "list")[:2] == (0, [listed])
    assert wwn("pool", "remove", "prod")[0] == 0
    assert wwn("pool", "list")[:2] == (0, [])
    assert actions(engine) == [("wwn-pool.add", "prod"), ("wwn-pool.remove", "prod")]


#: Words, exit code and code of what is refused.
WRONG = (
    (("pool", "add", "a b", FIRST, LAST), 2, "bad-name"),
    (("pool", "add", "x", FIRST, "2000"), 4, "bad-wwn"),
    (("pool", "add", "x", "3000000000000000", "30000000000000ff"), 4, "wrong-naa"),
    (("pool", "add", "x", LAST, FIRST), 2, "bad-range"),
    (("pool", "add", "x", FIRST, "5000000000000000"), 2, "bad-range"),
    (("pool", "add", "prod", "2000000000000000", "20000000000000ff"), 4, "pool-exists"),
    (("pool", "add", "x", "2000000000000000", FIRST), 4, "pool-overlaps"),
    (("pool", "remove", "x"), 3, "pool-unknown"),
    (("list", "--pool", "x"), 3, "pool-unknown"),
    (("list", "--state", "free"), 2, "unknown-state"),
    (("release", FIRST), 3, "unknown-wwn"),
    (("release", "12"), 4, "bad-wwn"),
)  # fmt: skip


def test_what_is_wrong_is_refused_and_not_audited(engine: Engine, wwn: Verb) -> None:
    wwn("pool", "add", "prod", FIRST, LAST)
    for words, exit_code, code in WRONG:
        ended, lines, error = wwn(*words)
        assert (words, ended, lines, f": {code}: " in error) == (words, exit_code, [], True), error
    assert actions(engine) == [("wwn-pool.add", "prod")]


def test_names_in_use_within_the_pools_become_held(engine: Engine, wwn: Verb) -> None:
    wwn("pool", "add", "prod", FIRST, LAST)
    with writing(engine) as connection:
        add_port(connection, "scsi_host9", FIRST, most=None, parent_wwpn=PORT5)
        add_port(connection, "scsi_host6", PORT6, wanted=(FIRST, LAST))
    assert wwn("import")[:2] == (0, [FIRST, LAST])
    assert row_of(engine, LAST) == ("held", "import", HOST)
    assert wwn("release", LAST)[2].endswith("it is made again at boot on scsi_host6 of db7.example.org\n")
    assert row_of(engine, FIRST) == ("held", "import", HOST)
    assert wwn("import", "prod")[:2] == (0, [])
    with writing(engine) as connection:
        remove(connection, FIRST)
    assert row_of(engine, FIRST) == ("held", "import", HOST)
    assert actions(engine) == [("wwn-pool.add", "prod"), ("wwn.import", FIRST), ("wwn.import", LAST)]


def test_names_that_no_agent_knows_of_are_imported_by_a_list(
    engine: Engine, wwn: Verb, http: httpx.Client, tmp_path: Path
) -> None:
    """They are given to nobody until they are released; what is held already stays whose it is."""
    wwn("pool", "add", "prod", FIRST, LAST, "--wwnn", "20000025b5000001")
    order(engine, pool="prod")
    listed = tmp_path / os.fsdecode(b"vmax\xff.txt")  # a file's name may be any bytes
    listed.write_text("# of the array\n20:00:00:25:B5:AA:00:01  # a1\n\n0x5000000000000001\n20000025b5aa0000\n")
    assert wwn("import", "--list", str(listed), "--holder", "array vmax01")[:2] == (
        0, ["20000025b5aa0001", "5000000000000001"]
    )  # fmt: skip
    assert row_of(engine, "20000025b5aa0001") == ("held", "import", "array vmax01")
    assert row_of(engine, FIRST) == ("reserved", "create", HOST)
    assert wwn("import", "--list", str(listed), "--holder", "array vmax01")[:2] == (0, [])
    with pytest.raises(Refused, match="held by array vmax01") as refused:
        order(engine, vport("5000000000000001"))
    assert refused.value.code == "wwn-in-use"
    assert named(engine, order(engine, pool="prod").id)["wwpn"] == "20000025b5aa0002", "the next free name"
    (held,) = wwn("list", "--host", "array vmax01", "--pool", "prod")[1]
    assert held.startswith("20000025b5aa0001 ")
    listing = http.get("/v1/wwns", params={"host": "array vmax01"}).json()["items"]
    assert [one["wwpn"] for one in listing] == ["20000025b5aa0001", "5000000000000001"]
    assert "unknown-host" in wwn("list", "--host", "array vmax02")[2]
    assert wwn("release", "5000000000000001")[1] == ["5000000000000001 is free; array vmax01 had it"]


def test_names_of_a_list_may_be_a_hosts_that_has_an_agent(engine: Engine, wwn: Verb, tmp_path: Path) -> None:
    """They are its as those that it was given, so that they rest when it gives a port up."""
    listed = tmp_path / "of-db7.txt"
    listed.write_text(FIRST)
    assert wwn("import", "--list", str(listed), "--holder", "db7.example.org")[:2] == (0, [FIRST])
    assert row_of(engine, FIRST) == ("held", "import", HOST)
    assert "  db7.example.org  import" in wwn("list", "--host", "db7.example.org")[1][0]


def test_what_a_host_calls_itself_steers_no_terminal(engine: Engine, wwn: Verb) -> None:
    with writing(engine) as connection:
        connection.execute(update(tables.host).values(name="db7\x9b2J"))
    order(engine, vport(FIRST))
    assert "  db7\\x9b2J  " in wwn("list")[1][0]
    assert r"did you mean db7\x9b2J?" in wwn("list", "--host", "db7")[2]


class Typist(io.BytesIO):
    """A person who takes long: meanwhile others order."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(b"\xef\xbb\xbf5000000000000001\r\n5000000000000002\r\n")  # as an editor of Windows writes it
        self._engine = engine

    def read(self, size: int | None = -1) -> bytes:
        order(self._engine, vport("20000025b5ff0001"))
        return super().read(size)


def test_while_a_list_is_typed_in_nobody_waits(engine: Engine, wwn: Verb, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(Typist(engine)))
    assert wwn("import", "--list", "-", "--holder", "x")[:2] == (0, ["5000000000000001", "5000000000000002"])
    monkeypatch.setattr(sys, "stdin", None)
    code, _, said = wwn("import", "--list", "-", "--holder", "x")
    assert (code, "usage: -: stdin is closed" in said) == (2, True)


def test_who_has_no_name_here_is_known_by_no_name(engine: Engine, wwn: Verb, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container whose user id is in no passwd file."""
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 2**31 - 7)
    assert wwn("pool", "add", "prod", FIRST, LAST)[0] == 0
    with engine.connect() as connection:
        assert list(connection.execute(select(tables.audit.c.actor)).scalars()) == ["local"]


def test_a_list_with_a_wrong_line_imports_nothing(engine: Engine, wwn: Verb, tmp_path: Path) -> None:
    listed = tmp_path / "vmax01.txt"
    listed.write_text("5000000000000001\n5000000000000002 b1\n")
    code, lines, said = wwn("import", "--list", str(listed), "--holder", "array vmax01")
    assert (code, lines, "bad-wwn: line 2: wwpn '5000000000000002 b1'" in said) == (4, [], True), said
    listed.write_text("3000000000000001\n")
    assert "wrong-naa: line 1" in wwn("import", "--list", str(listed), "--holder", "array vmax01")[2]
    assert "no-file" in wwn("import", "--list", str(tmp_path / "none"), "--holder", "x")[2]
    for words in (("--list", str(listed)), ("--holder", "x")):
        assert "bad-holder" in wwn("import", *words)[2]
    for holder in ("", "x" * 65, "x\x1b[2J"):
        assert "bad-holder" in wwn("import", "--list", str(listed), "--holder", holder)[2]
    assert wwn("list")[1] == []
    assert actions(engine) == []


def test_a_name_is_released_when_nobody_has_it(engine: Engine, wwn: Verb) -> None:
    wwpn = "20000025b5ff0001"
    queued = order(engine, vport(wwpn))
    assert wwn("release", wwpn)[2].endswith(f"is reserved: cancel or abandon command {queued.id} first\n")
    told(engine, queued.id, "succeeded")
    with writing(engine) as connection:
        add_port(connection, "scsi_host9", wwpn, most=None, parent_wwpn=PORT5)
    assert wwn("release", wwpn)[2].endswith("is in use: it is scsi_host9 of db7.example.org\n")
    with writing(engine) as connection:
        remove(connection, wwpn)
    assert wwn("release", f"0x{wwpn}")[:2] == (0, [f"{wwpn} is free; {HOST} had it"])
    assert row_of(engine, wwpn) is None
    assert actions(engine) == [("wwn.release", wwpn)]


def test_the_list_says_who_has_what_and_why(engine: Engine, wwn: Verb) -> None:
    wwn("pool", "add", "prod", FIRST, LAST)
    queued = order(engine, pool="prod")
    order(engine, vport("20000025b5ff0001"))
    code, lines, _ = wwn("list", "--pool", "prod", "--host", "db7.example.org", "--state", "reserved")
    (line,) = lines
    assert code == 0
    assert line.startswith(f"{FIRST}  20000025b5aa0001  reserved     db7.example.org  create {queued.id} at 20")


def test_pools_and_names_are_read_over_http(engine: Engine, wwn: Verb, http: httpx.Client) -> None:
    for name, first in (("prod", "a"), ("test", "b"), ("lab", "c")):
        wwn("pool", "add", name, f"20000025b5a{first}0000", f"20000025b5a{first}00ff")
    queued = [order(engine, pool="prod").id for _ in range(3)]
    told(engine, queued[0], "failed", code="interrupted")
    first = http.get("/v1/wwn-pools?limit=2").json()
    assert [pool["name"] for pool in first["items"]] == ["lab", "prod"]
    assert {key: first["items"][1][key] for key in ("size", "reserved", "held", "quarantined")} == {
        "size": 256, "reserved": 2, "held": 0, "quarantined": 1,
    }  # fmt: skip
    rest = http.get("/v1/wwn-pools", params={"cursor": first["next"]}).json()
    assert ([pool["name"] for pool in rest["items"]], rest["next"]) == (["test"], None)
    page = http.get("/v1/wwns?pool=prod&host=db7.example.org&limit=2").json()
    assert [(one["state"], one["command"]) for one in page["items"]] == [
        ("quarantined", queued[0]), ("reserved", queued[1]),
    ]  # fmt: skip
    assert page["items"][0]["until"] > page["items"][0]["since"]
    last = http.get("/v1/wwns", params={"pool": "prod", "host": "db7.example.org", "cursor": page["next"]}).json()
    assert [one["command"] for one in last["items"]] == [queued[2]]
    assert http.get("/v1/wwns?state=held").json()["items"] == []
    assert http.get("/v1/wwns?state=free").json()["code"] == "unknown-state"
    assert http.get("/v1/wwns?pool=x").json()["code"] == "pool-unknown"


def test_a_port_is_ordered_over_http_with_a_name_of_a_pool(engine: Engine, wwn: Verb, http: httpx.Client) -> None:
    wwn("pool", "add", "prod", FIRST, LAST)
    answer = http.post(f"/v1/hosts/{HOST}/devices?pool=prod&require=online&persistent=true", content=vport())
    assert answer.status_code == 202
    assert row_of(engine, FIRST) == ("reserved", "create", HOST)
    again = http.post(f"/v1/hosts/{HOST}/devices", content=vport(FIRST))
    assert (again.status_code, again.json()["code"]) == (409, "wwn-in-use")
