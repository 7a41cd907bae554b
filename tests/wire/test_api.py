"""The HTTP API over a real socket: one shape for lists, one for errors, and what it answers; on both databases."""

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from lxml import etree
from sqlalchemy import insert, select

from hwcensus.command import read_command
from hwcensus.errors import ConfigError
from hwcensus.instant import now
from hwcensus_collector import tables
from hwcensus_collector.api.app import create_app
from hwcensus_collector.api.orders import MAX_BODY
from hwcensus_collector.api.serve import bind
from hwcensus_collector.database import open_engine
from hwcensus_collector.settings import CollectorSettings
from tests.wire.census_world import BEGAN, World, after, bridge, computer, net, pci, served, world

PROBLEM = {"type", "title", "status", "detail", "code", "nearest"}
LISTS = (
    "/v1/hosts",
    "/v1/wwns",
    "/v1/wwn-pools",
    "/v1/devices",
    "/v1/hosts/web17/devices",
    "/v1/hosts/web17/devices?view=tree",
    "/v1/hosts/web17/devices?at=1h",
    "/v1/hosts/web17/devices/net_hwc0/history",
    "/v1/changes",
    "/v1/changes?since=7d",
    "/v1/commands",
    "/v1/batches",
    "/v1/dead-letters",
    "/v1/audit",
)
#: Method, path, status and code of what is answered.
ERRORS = (
    ("GET", "/nothing", 404, "unknown-path"),
    ("GET", "/v1/hosts/", 404, "unknown-path"),
    ("PUT", "/v1/hosts", 405, "method-not-allowed"),
    ("GET", "/v1/hosts/web71", 404, "unknown-host"),
    ("GET", "/v1/hosts/web17/devices/net_eth1", 404, "unknown-device"),
    ("GET", "/v1/hosts/web17/devices/net_eth1/history", 404, "unknown-device"),
    ("GET", "/v1/hosts/web17/devices/net_hwc0?at=2020-01-01", 404, "unknown-device"),
    ("GET", "/v1/devices?cap=brige", 400, "unknown-capability"),
    ("GET", "/v1/devices?bus=pcie", 400, "unknown-bus"),
    ("GET", "/v1/devices?hots=web17", 400, "unknown-parameter"),
    ("GET", "/v1/devices?fields=nmae", 400, "unknown-field"),
    ("GET", "/v1/devices?sort=size", 400, "bad-sort"),
    ("GET", "/v1/devices?present=maybe", 400, "bad-parameter"),
    ("GET", "/v1/devices?at=tomorrow", 400, "bad-time"),
    ("GET", "/v1/devices?at=2999-01-01", 400, "bad-time"),
    ("GET", "/v1/devices?at=1h&key=/sys", 400, "not-recorded"),
    ("GET", "/v1/devices?limit=0", 400, "bad-limit"),
    ("GET", "/v1/devices?limit=many", 400, "bad-parameter"),
    ("GET", "/v1/devices?cursor=abc", 400, "bad-cursor"),
    ("GET", "/v1/hosts/web17/devices?view=forest", 400, "bad-parameter"),
    ("GET", "/v1/hosts/web17/devices/net_hwc0?include=all", 400, "bad-parameter"),
    ("GET", "/v1/changes?since=yesterday", 400, "bad-time"),
    ("GET", "/v1/changes?after=-1", 400, "bad-position"),
    ("GET", f"/v1/changes?after={1 << 70}", 400, "bad-position"),
    ("GET", "/v1/changes/stream?after=-1", 400, "bad-position"),
    ("GET", f"/v1/changes/stream?after={1 << 70}", 400, "bad-position"),
    ("GET", "/v1/hosts/web%0017", 400, "bad-parameter"),
    ("GET", "/v1/hosts/web17/devices/%00", 400, "bad-parameter"),
    ("GET", "/v1/devices?key=%00", 400, "bad-parameter"),
    ("GET", "/v1/changes?kinds=ad", 400, "unknown-kind"),
    ("GET", "/v1/commands/nix", 404, "unknown-command"),
    ("GET", "/v1/commands?state=lost", 400, "unknown-state"),
    ("GET", "/v1/commands?type=destory", 400, "unknown-type"),
    ("POST", "/v1/commands/nix/cancel", 404, "unknown-command"),
    ("GET", "/v1/audit?action=host.retyre", 400, "unknown-action"),
    ("GET", "/v1/audit?actr=relay", 400, "unknown-parameter"),
    ("GET", "/v1/audit?subject=%00", 400, "bad-parameter"),
    ("GET", "/v1/audit?since=yesterday", 400, "bad-time"),
    ("GET", "/v1/audit?until=tomorrow", 400, "bad-time"),
    ("GET", "/v1/audit?cursor=abc", 400, "bad-cursor"),
    ("GET", "/v1/audit?limit=0", 400, "bad-limit"),
    ("DELETE", "/v1/audit", 405, "method-not-allowed"),
    ("GET", "/v1/batches/nix", 404, "unknown-batch"),
    ("POST", "/v1/batches", 400, "bad-batch"),
    ("POST", "/v1/batches?host=web17&status=online", 400, "bad-batch"),
    ("POST", "/v1/batches/nix/cancel", 404, "unknown-batch"),
    ("GET", "/v1/documents/0000", 404, "unknown-document"),
    ("DELETE", "/v1/hosts/web17/devices/net_eth1", 404, "unknown-device"),
    ("POST", "/v1/hosts/web17/devices/net_eth1/detach", 404, "unknown-device"),
    ("POST", "/v1/hosts/web17/devices/net_hwc0/detach", 409, "not-detachable"),
    ("POST", "/v1/hosts/web17/devices/net_hwc0/reattach?driver=e1000e", 400, "unknown-parameter"),
    ("POST", "/v1/hosts/web17/devices/net_hwc0/check", 400, "bad-parameter"),
    ("POST", "/v1/hosts/web17/devices/net_hwc0/check?of=create", 400, "bad-parameter"),
    ("POST", "/v1/hosts/web17/devices/check", 422, "not-xml"),
    ("POST", "/v1/hosts/web17/devices/net_hwc0/check?of=destroy&driver=x", 400, "bad-driver"),
    ("POST", "/v1/hosts/web17/devices/net_eth1/check?of=destroy", 404, "unknown-device"),
)


KEY = {"Idempotency-Key": "once"}


@pytest.fixture
def census(database_url: str) -> Iterator[World]:
    with world(database_url) as made:
        made.host("a1", "web17")
        for xml in (computer(), pci(), net("eth0", parent="pci_0000_00_1f_3"), bridge("hwc0")):
            made.tell("a1", xml, BEGAN)
        made.tell("a1", bridge("hwc0", stp="yes"), after(hours=1))
        yield made


@pytest.fixture
def http(census: World) -> Iterator[httpx.Client]:
    with served(census.engine) as url, httpx.Client(base_url=url, trust_env=False, timeout=60) as client:
        yield client


def test_every_list_has_one_shape(http: httpx.Client) -> None:
    for path in LISTS:
        answer = http.get(path)
        assert answer.status_code == 200, path
        assert answer.headers["content-type"] == "application/json", path
        assert set(answer.json()) == {"items", "next"}, path
        assert isinstance(answer.json()["items"], list), path


def test_every_error_has_one_shape(http: httpx.Client) -> None:
    for method, path, status, code in ERRORS:
        answer = http.request(method, path)
        problem = answer.json()
        assert (answer.status_code, problem["code"]) == (status, code), path
        assert answer.headers["content-type"] == "application/problem+json", path
        assert set(problem) == PROBLEM, path
        assert problem["status"] == status, path
        assert problem["type"] == f"urn:hwcensus:problem:{code}", path
        assert isinstance(problem["nearest"], list), path


def test_an_unknown_name_is_answered_with_the_nearest(http: httpx.Client) -> None:
    assert http.get("/v1/hosts/web71").json()["nearest"] == ["web17"]
    assert http.get("/v1/hosts/web17/devices/net_eth1").json()["nearest"][0] == "net_eth0"
    assert http.get("/v1/devices?cap=brige").json()["nearest"][0] == "bridge"
    assert http.get("/v1/devices?hots=web17").json()["nearest"] == ["host"]


def test_an_ambiguous_host_is_answered_with_the_ids(census: World, http: httpx.Client) -> None:
    census.host("b2", "web17")
    answer = http.get("/v1/hosts/web17/devices")
    assert answer.status_code == 409
    assert answer.json()["nearest"] == ["a1", "b2"]


def test_a_device_is_json_or_its_document(http: httpx.Client) -> None:
    path = "/v1/hosts/web17/devices/net_hwc0"
    told = http.get(path).json()
    assert told["facts"]["bridge.stp"] is True
    assert told["capabilities"] == ["net", "bridge"]
    assert told["state"] == {"net.link": "down", "net.mtu": 1500}
    document = http.get(path, headers={"Accept": "application/xml"})
    assert document.headers["content-type"] == "application/xml"
    root = etree.fromstring(document.content)
    assert (root.findtext("name"), root.find("capability/state") is not None) == ("net_hwc0", True)
    bare = etree.fromstring(http.get(f"{path}?include=", headers={"Accept": "text/xml"}).content)
    assert bare.find("key") is None
    assert bare.find("capability/state") is None


def test_the_past_says_what_it_leaves_out(http: httpx.Client) -> None:
    path = f"/v1/hosts/web17/devices/net_hwc0?at={after(minutes=30).isoformat().replace('+00:00', 'Z')}"
    told = http.get(path).json()
    assert told["facts"]["bridge.stp"] is False
    assert told["left_out"] == ["key", "state"]
    assert not {"key", "state"} & set(told)
    document = http.get(path, headers={"Accept": "application/xml"})
    assert b"<stp>no</stp>" in document.content
    assert document.headers["hwcensus-left-out"] == "key state"


def test_a_device_may_be_named_by_its_identity(http: httpx.Client) -> None:
    for name in ("net%2Fplace%2Fnet_hwc0", "net/place/net_hwc0"):
        assert http.get(f"/v1/hosts/a1/devices/{name}").json()["name"] == "net_hwc0"
        assert len(http.get(f"/v1/hosts/a1/devices/{name}/history").json()["items"]) == 2


def test_only_the_fields_asked_for_are_told(http: httpx.Client) -> None:
    items = http.get("/v1/hosts/web17/devices?fields=name,xml&cap=bridge").json()["items"]
    assert [set(one) for one in items] == [{"name", "xml"}]
    assert items[0]["xml"].startswith("<device>")


def test_a_tree_nests_devices_below_their_parents(http: httpx.Client) -> None:
    (root,) = http.get("/v1/hosts/web17/devices?view=tree").json()["items"]
    assert root["name"] == "computer"
    (hwc0, pci_) = root["children"]
    assert hwc0["name"] == "net_hwc0"
    assert [child["name"] for child in pci_["children"]] == ["net_eth0"]


def test_pages_follow_each_other(http: httpx.Client) -> None:
    found, cursor = [], None
    while True:
        page = http.get("/v1/hosts/web17/devices", params={"limit": 1, **({"cursor": cursor} if cursor else {})}).json()
        found += [one["name"] for one in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert found == ["computer", "net_eth0", "net_hwc0", "pci_0000_00_1f_3"]


def test_creating_is_answered_with_where_to_follow_it(http: httpx.Client) -> None:
    headers = {"Idempotency-Key": "once", "X-Hwcensus-Actor": "alice"}
    body = "<device><capability type='net'><interface>hwc1</interface><capability type='bridge'/></capability></device>"
    answer = http.post("/v1/hosts/web17/devices", content=body, headers=headers)
    assert answer.status_code == 202
    command = http.get(answer.headers["location"]).json()
    assert (command["state"], command["by"], command["subject"]) == ("queued", "local:alice", "bridge")
    assert [step["state"] for step in command["steps"]] == ["queued"]
    assert http.post("/v1/hosts/web17/devices", content=body, headers=headers).json()["id"] == command["id"]
    taken_back = http.post(f"{answer.headers['location']}/cancel").json()
    assert (taken_back["state"], taken_back["steps"][-1]["by"]) == ("cancelled", "local")
    assert http.post(f"{answer.headers['location']}/cancel").status_code == 409


def test_a_command_is_waited_for_until_its_next_step(http: httpx.Client) -> None:
    where = http.delete("/v1/hosts/web17/devices/net_hwc0").headers["location"]
    nothing_new = http.get(f"{where}?after=1&wait=0.01").json()
    assert len(nothing_new["steps"]) == 1
    with ThreadPoolExecutor() as beside:
        waiting = beside.submit(http.get, f"{where}?after=1&wait=30")
        http.post(f"{where}/cancel")
        assert [step["state"] for step in waiting.result().json()["steps"]] == ["queued", "cancelled"]
    assert http.get(f"{where}?after=2&wait=30").json()["state"] == "cancelled"  # it has ended: nothing more comes


def test_destroying_is_answered_with_where_to_follow_it(http: httpx.Client) -> None:
    answer = http.delete("/v1/hosts/web17/devices/net_hwc0")
    assert answer.status_code == 202
    assert http.get(answer.headers["location"]).json()["identity"] == "net/place/net_hwc0"
    assert [one["type"] for one in http.get("/v1/commands?host=web17").json()["items"]] == ["destroy"]


def test_commands_are_found_by_type_and_by_being_overdue(census: World, http: httpx.Client) -> None:
    kept = http.delete("/v1/hosts/web17/devices/net_hwc0").json()["id"]
    late = http.post("/v1/hosts/web17/devices/pci_0000_00_1f_3/detach").json()["id"]
    with census.engine.begin() as connection:
        past = {"expires": BEGAN, "state": "dispatched"}
        connection.execute(tables.command.update().where(tables.command.c.id == late).values(past))

    def found(query: str) -> list[str]:
        return [one["id"] for one in http.get(f"/v1/commands?{query}").json()["items"]]

    assert found("") == [late, kept]
    assert found("type=destroy") == [kept]
    assert found("overdue=yes") == [late]
    reason = http.post(f"/v1/commands/{late}/abandon?reason=power+cut").json()
    assert (reason["state"], reason["steps"][-1]["text"], found("overdue=yes")) == ("abandoned", "power cut", [])


def test_a_batch_is_for_hosts_by_name_by_status_or_by_what_they_have(census: World, http: httpx.Client) -> None:
    census.host("a2", "web18")
    census.tell("a2", computer(), BEGAN)
    census.host("a3", "web19", clock_skew=99.0)
    body = "<device><capability type='net'><interface>hwc1</interface><capability type='bridge'/></capability></device>"
    answer = http.post("/v1/batches?host=web17&host=a2&at_once=1", content=body)
    assert (answer.status_code, answer.json()["states"], answer.json()["refused"]) == (202, {"queued": 2}, [])
    id_ = answer.json()["id"]
    assert http.get(answer.headers["location"]).json() == answer.json()
    assert {one["host"] for one in http.get(f"/v1/commands?batch={id_}").json()["items"]} == {"a1", "a2"}
    online = http.post("/v1/batches?status=online", content=body).json()
    assert ([one["host"] for one in online["refused"]], online["commands"]) == (["a3"], 2)
    assert http.post("/v1/batches?cap=bridge", content=body).json()["commands"] == 1
    assert http.post(f"/v1/batches/{id_}/cancel?reason=no").json()["states"] == {"cancelled": 2}
    assert len(http.get("/v1/batches").json()["items"]) == 3


def test_a_driver_is_ordered_to_let_go_and_the_hosts_own_to_take_it_again(http: httpx.Client) -> None:
    for device, type_ in (("pci_0000_00_1f_3", "detach"), ("pci%2Fplace%2Fpci_0000_00_1f_3", "reattach")):
        answer = http.post(f"/v1/hosts/web17/devices/{device}/{type_}")
        assert answer.status_code == 202
        told = http.get(answer.headers["location"]).json()
        assert (told["type"], told["identity"], told["subject"]) == (type_, "pci/place/pci_0000_00_1f_3", "pci")


def test_a_host_is_asked_about_an_order_before_it_is_given(http: httpx.Client) -> None:
    answer = http.post("/v1/hosts/web17/devices/net%2Fplace%2Fnet_hwc0/check?of=destroy&valid=5")
    assert answer.status_code == 202
    told = http.get(answer.headers["location"]).json()
    assert (told["type"], told["name"], told["subject"]) == ("check-destroy", "net_hwc0", "bridge")
    (listed,) = http.get("/v1/commands?type=check-destroy").json()["items"]
    assert listed["id"] == told["id"]


def test_a_host_is_asked_about_a_creation_but_for_that_of_a_port(census: World, http: httpx.Client) -> None:
    body = "<device><capability type='net'><interface>hwc1</interface><capability type='bridge'/></capability></device>"
    answers = [http.post("/v1/hosts/web17/devices/check?force=yes", content=body, headers=KEY) for _ in range(2)]
    assert [one.status_code for one in answers] == [202, 202]
    (listed,) = http.get("/v1/commands").json()["items"]
    assert (listed["type"], listed["subject"], listed["identity"]) == ("check-create", "bridge", None)
    with census.engine.connect() as connection:
        (sent,) = connection.execute(select(tables.command.c.body)).scalars()
    command = read_command(sent)
    assert (command.is_check, command.force, command.name) == (True, True, None)
    assert command.device is not None
    other = http.post("/v1/hosts/web17/devices", content=body, headers=KEY)
    assert (other.status_code, other.json()["code"]) == (409, "idempotency-key-reused")
    port = "<device><capability type='scsihost'><capability type='fc'/></capability></device>"
    refused = http.post("/v1/hosts/web17/devices/check", content=port)
    assert (refused.status_code, refused.json()["code"]) == (400, "bad-check")
    refused = http.post("/v1/hosts/web17/devices/check?persistent=yes", content=body)
    assert (refused.status_code, refused.json()["code"]) == (400, "bad-persistent")
    assert len(http.get("/v1/commands").json()["items"]) == 1


def test_a_conflict_is_ended_by_a_person(census: World, http: httpx.Client) -> None:
    census.claim("a1")
    assert http.get("/v1/hosts/web17").json()["conflict"]["stream"] == "a1-2"
    refused = http.delete("/v1/hosts/web17/devices/net_hwc0").json()
    assert refused["code"] == "host-in-conflict"
    accepted = http.post("/v1/hosts/web17/accept", headers={"X-Hwcensus-Actor": "alice"}).json()
    assert (accepted["conflict"], accepted["stream"]) == (None, "a1-2")
    with census.engine.connect() as connection:
        (row,) = connection.execute(select(tables.audit)).all()
    assert (row.actor, row.action, row.subject) == ("local:alice", "host.accept", "a1")
    assert http.post("/v1/hosts/web17/accept").json()["code"] == "no-conflict"


async def test_who_sends_commands_is_woken_when_a_conflict_ends(census: World) -> None:
    """What was ordered before it can leave then."""
    census.claim("a1")
    woken: list[bool] = []
    app = create_app(census.engine, CollectorSettings(), wrote=lambda: woken.append(True))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1") as http:
        accepted = await http.post("/v1/hosts/web17/accept")
    assert (accepted.json()["conflict"], woken) == (None, [True])


#: Document, status and code of what is answered.
REFUSED = (
    ("<device>", 422, "not-xml"),
    ("", 422, "not-xml"),
    ("<!DOCTYPE device><device/>", 422, "doctype"),
    ("<device><capability type='disk'/></device>", 422, "not-creatable"),
    ("<device><capability type='net'><interface>eth7</interface></capability></device>", 422, "not-creatable"),
    (
        "<device><capability type='net'><interface>hwc0123456789012</interface><capability type='bridge'/>"
        "</capability></device>",
        422,
        "name-too-long",
    ),
    (f"<device>{' ' * MAX_BODY}</device>", 413, "document-too-large"),
)


def test_what_the_document_alone_shows_is_refused_at_once(http: httpx.Client) -> None:
    for body, status, code in REFUSED:
        answer = http.post("/v1/hosts/web17/devices", content=body)
        assert (answer.status_code, answer.json()["code"]) == (status, code), body[:80]
    assert http.get("/v1/commands").json()["items"] == []


def test_a_name_that_leads_here_by_a_strangers_dns_is_refused(http: httpx.Client) -> None:
    for host in ("evil.example", "169.254.169.254", ""):
        answer = http.get("/v1/hosts", headers={"Host": host})
        assert answer.status_code in (400, 421), host
    assert http.get("/v1/hosts", headers={"Host": "localhost:8470"}).status_code == 200
    assert http.get("/v1/hosts", headers={"Host": "[::1]:8470"}).status_code == 200


def test_orders_from_a_strangers_page_are_refused(http: httpx.Client) -> None:
    for headers in ({"Origin": "http://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}):
        answer = http.delete("/v1/hosts/web17/devices/net_hwc0", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "foreign-origin")
    assert http.get("/v1/commands").json()["items"] == []


@pytest.mark.parametrize("listen", ["0.0.0.0:8470", "[::]:8470", "192.0.2.1:80", "example.org:80", "127.0.0.1", "x:y"])
def test_without_tokens_it_listens_on_loopback_only(listen: str) -> None:
    with pytest.raises(ConfigError, match=r"api\.listen"):
        bind(listen)


def test_an_answer_does_not_wait_for_the_acknowledgement_of_its_head() -> None:
    """asyncio switches Nagle's algorithm off for accepted connections only where the listener says that it is TCP."""
    with bind("127.0.0.1:0") as listener:
        assert listener.proto == socket.IPPROTO_TCP


def test_a_taken_port_is_said(http: httpx.Client) -> None:
    with pytest.raises(ConfigError, match="in use; choose another port"):
        bind(f"127.0.0.1:{http.base_url.port}")


def test_health_and_metrics_count(census: World, http: httpx.Client) -> None:
    with census.engine.begin() as connection:
        connection.execute(
            insert(tables.dead_letter).values(
                topic="t",
                partition=0,
                offset=7,
                at=now(),
                value=b"<x",
                code="not-xml",
                reason="no",
                headers={},
                host="a1",
            )
        )
    health = http.get("/v1/health").json()
    assert (health["status"], health["devices"], health["feed"], health["dead_letters"]) == ("ok", 4, 5, 1)
    assert health["hosts"] == {"online": 1, "stale": 0, "offline": 0}
    metrics = http.get("/metrics").text
    for line in (
        'hwcensus_hosts{status="online"} 1.0',
        "hwcensus_devices 4.0",
        "hwcensus_feed_position 5.0",
        'hwcensus_dead_letters{code="not-xml"} 1.0',
    ):
        assert line in metrics.splitlines()
    (letter,) = http.get("/v1/dead-letters?host=a1").json()["items"]
    assert (letter["offset"], letter["size"], letter["reason"]) == (7, 2, "no")


def test_a_database_without_our_tables_is_a_problem_and_not_a_traceback(sqlite_url: str) -> None:
    engine = open_engine(sqlite_url)
    with served(engine) as url:
        answer = httpx.get(f"{url}/v1/health", trust_env=False)
    engine.dispose()
    assert (answer.status_code, answer.json()["code"]) == (503, "database")
    assert set(answer.json()) == PROBLEM


def test_the_description_names_every_path_and_the_shape_of_errors(sqlite_url: str) -> None:
    engine = open_engine(sqlite_url)
    described = create_app(engine, CollectorSettings()).openapi()
    engine.dispose()
    assert len(described["paths"]) >= 16
    assert set(described["components"]["schemas"]["Problem"]["properties"]) == PROBLEM
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            assert operation["description"], f"{method} {path} says nothing"
            assert "4XX" in operation["responses"]
