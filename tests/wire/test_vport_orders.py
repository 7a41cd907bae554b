"""Ordering virtual ports: on which adapter they are made, what is refused, and what the agent gets to read."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, func, select, update

from hwcensus.errors import HwcensusError
from hwcensus_collector import tables
from hwcensus_collector.database import writing
from tests.wire.relay_world import HOST, bridge, database
from tests.wire.san_world import (
    FABRIC,
    OTHER,
    PORT5,
    PORT6,
    add_port,
    add_san_host,
    add_thing,
    body,
    named,
    order,
    order_destroy,
    vport,
)

VIRTUAL = "10000000c9831b9e"


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = database(database_url)
    with writing(engine) as connection:
        add_san_host(connection)
        add_port(connection, "scsi_host5", PORT5, used=2)
        add_port(connection, "scsi_host6", PORT6, used=1)
        add_port(connection, "scsi_host7", VIRTUAL, most=None, used=None, parent_wwpn=PORT6)
        add_thing(connection, "scsi_host0", "scsi/place/ahci", ("scsihost",))
    yield engine
    engine.dispose()


def change(engine: Engine, name: str, *, facts: dict[str, object] | None = None, **state: object) -> None:
    """Other facts and states of a port."""
    device = tables.device
    with writing(engine) as connection:
        row = connection.execute(select(device.c.facts, device.c.state).where(device.c.name == name)).one()
        new_state = row.state | {f"fc.{key}": value for key, value in state.items()}
        values = {"facts": row.facts | (facts or {}), "state": new_state}
        connection.execute(update(device).where(device.c.name == name).values(values))


def refused(engine: Engine, document: bytes, **more: object) -> HwcensusError:
    with pytest.raises(HwcensusError) as error:
        order(engine, document, **more)  # type: ignore[arg-type]
    with engine.begin() as connection:
        for table in (tables.command, tables.wwn):
            assert connection.execute(select(func.count()).select_from(table)).scalar_one() == 0
    return error.value


def test_the_command_has_the_adapters_name_and_identity_and_both_names_of_the_port(engine: Engine) -> None:
    queued = order(engine, vport("0x20000000C9831B9F"), require="online", persistent=True)
    command = body(engine, queued.id)
    assert (command.require, command.persistent, queued.subject) == ("online", True, "vport")
    assert command.device is not None
    parent = command.device.find("parent")
    assert parent is not None
    assert (parent.text, list(parent.items())) == ("scsi_host5", [("identity", f"scsi/wwpn/{PORT5}")])
    given = named(engine, queued.id)
    assert (list(given), given["wwpn"]) == (["wwnn", "wwpn"], "20000000c9831b9f")


#: What stands in the document, and the adapter that is meant.
MEANT = (
    ("<parent>scsi_host5</parent>", "scsi_host5"),
    (f"<parent>scsi/wwpn/{PORT5}</parent>", "scsi_host5"),
    ("<parent>/sys/devices/x/scsi_host5</parent>", "scsi_host5"),
    (f'<parent wwpn="0x{PORT5.upper()}"/>', "scsi_host5"),
    (f'<parent wwnn="20{PORT5[2:]}" wwpn="{PORT5}"/>', "scsi_host5"),
    (f'<parent wwpn="{PORT5}">scsi_host5</parent>', "scsi_host5"),
    (f'<parent identity="scsi/wwpn/{PORT5}">scsi_host5</parent>', "scsi_host5"),
    (f'<parent identity="scsi/wwpn/{PORT5}"/>', "scsi_host5"),
    (f'<parent fabric_wwn="{FABRIC}"/>', "scsi_host6"),
    ("", "scsi_host6"),
)


def test_the_adapter_is_the_named_one_or_the_least_used(engine: Engine) -> None:
    for parent, adapter in MEANT:
        device = body(engine, order(engine, vport(parent=parent)).id).device
        assert device is not None
        assert (parent, device.findtext("parent")) == (parent, adapter)


#: What stands in the document; code and text of the refusal.
NOT_MEANT = (
    ("<parent>scsi_host99</parent>", "parent-unknown", "scsi_host99"),
    ("<parent>/sys/devices/x/scsi_host9</parent>", "parent-unknown", "/sys/devices/x/scsi_host9"),
    ('<parent wwpn="210000e08b931899"/>', "parent-unknown", f"210000e08b931899; it has {PORT5}"),
    ("<parent>scsi_host0</parent>", "parent-not-fc", "scsi_host0 is no Fibre Channel port but scsihost"),
    ("<parent>scsi_host7</parent>", "parent-no-npiv", "scsi_host7 is itself a virtual port"),
    (f'<parent wwpn="{VIRTUAL}"/>', "parent-no-npiv", "scsi_host7"),
    (f'<parent wwpn="{PORT6}">scsi_host5</parent>', "device-changed", f"has wwpn {PORT5}, not {PORT6}"),
    (f'<parent wwnn="2000000000000001" wwpn="{PORT5}"/>', "device-changed", "not 2000000000000001"),
    ('<parent identity="scsi/wwpn/1">scsi_host5</parent>', "device-changed", "identity"),
    ('<parent fabric_wwn="1000c0ffee0000fb"/>', "no-parent", f"scsi_host5 is in fabric {FABRIC}, not in"),
)  # fmt: skip


def test_an_adapter_that_cannot_be_meant_is_refused(engine: Engine) -> None:
    for parent, code, says in NOT_MEANT:
        error = refused(engine, vport(parent=parent))
        assert (error.code, says in error.message) == (code, True), error.message


def test_a_state_that_sounds_like_a_wish_keeps_nobody_from_ordering(engine: Engine) -> None:
    change(engine, "scsi_host5", port="fc.wanted")
    assert order(engine, vport("20000000c9831b9f")).state == "queued"


def test_full_is_a_matter_of_numbers(engine: Engine) -> None:
    change(engine, "scsi_host5", facts={"fc.vports.max": 100}, vports=99)
    assert order(engine).state == "queued"
    change(engine, "scsi_host6", facts={"fc.vports.max": 100}, vports=100)
    with pytest.raises(HwcensusError, match="scsi_host6 has 100 virtual ports of 100") as full:
        order(engine, vport(parent="<parent>scsi_host6</parent>"))
    assert full.value.code == "parent-full"


def test_what_is_on_order_counts_as_used(engine: Engine) -> None:
    change(engine, "scsi_host5", facts={"fc.vports.max": 4})
    change(engine, "scsi_host6", facts={"fc.vports.max": 4})
    adapters = []
    for _ in range(5):
        device = body(engine, order(engine, vport(parent="")).id).device
        adapters.append(None if device is None else device.findtext("parent"))
    assert sorted(map(str, adapters)) == ["scsi_host5"] * 2 + ["scsi_host6"] * 3
    with pytest.raises(HwcensusError, match=r"scsi_host5 has 4 .* of 4; scsi_host6 has 4 .* of 4") as none:
        order(engine, vport(parent=""))
    assert none.value.code == "no-parent"


def test_ports_that_are_seen_count_before_the_kernel_has_counted_them(engine: Engine) -> None:
    change(engine, "scsi_host6", facts={"fc.vports.max": 1}, vports=0)
    error = refused(engine, vport(parent="<parent>scsi_host6</parent>"))
    assert error.code == "parent-full"


def test_a_port_that_is_seen_before_its_command_has_succeeded_counts_once(engine: Engine) -> None:
    parent = "<parent>scsi_host5</parent>"
    change(engine, "scsi_host5", facts={"fc.vports.max": 2}, vports=0)
    waiting = named(engine, order(engine, vport(parent=parent), require="online").id)
    with writing(engine) as connection:
        add_port(connection, "scsi_host9", waiting["wwpn"], most=None, used=None, parent_wwpn=PORT5)
    assert order(engine, vport(parent=parent)).state == "queued"
    with pytest.raises(HwcensusError) as full:
        order(engine, vport(parent=parent))
    assert full.value.code == "parent-full"


def test_no_npiv_is_no_vports_or_a_maximum_of_none(engine: Engine) -> None:
    change(engine, "scsi_host5", facts={"fc.vports.max": 0})
    assert refused(engine, vport()).code == "parent-no-npiv"


def test_a_named_adapter_may_be_offline_unless_the_port_shall_be_online(engine: Engine) -> None:
    change(engine, "scsi_host5", port="Linkdown")
    error = refused(engine, vport(), require="online")
    assert (error.code, "Linkdown" in error.message) == ("parent-offline", True)
    assert order(engine).state == "queued"


def test_a_chosen_adapter_is_online_and_each_that_is_not_fit_has_its_reason(engine: Engine) -> None:
    change(engine, "scsi_host6", port="Offline")
    device = body(engine, order(engine, vport(parent="")).id).device
    assert device is not None
    assert device.findtext("parent") == "scsi_host5"
    change(engine, "scsi_host5", facts={"fc.vports.max": 0})
    with pytest.raises(HwcensusError) as none:
        order(engine, vport(parent=""))
    assert (none.value.code, str(none.value)) == (
        "no-parent",
        "no port of db7.example.org can take a virtual one: scsi_host5 takes no virtual ports (NPIV);"
        " scsi_host6 is not online, its port state is Offline",
    )


def test_a_host_without_fibre_channel_says_so(engine: Engine) -> None:
    with writing(engine) as connection:
        add_san_host(connection, OTHER, "web1")
    error = refused(engine, vport(parent=""), host=OTHER)
    assert (error.code, "it has no Fibre Channel port" in error.message) == ("no-parent", True)


def test_only_ports_are_waited_for_kept_and_named(engine: Engine) -> None:
    asked: tuple[tuple[dict[str, object], str], ...] = (
        ({"require": "online"}, "bad-require"), ({"persistent": True}, "bad-persistent"), ({"pool": "a"}, "bad-pool"),
    )  # fmt: skip
    for more, code in asked:
        assert refused(engine, bridge(), **more).code == code


def test_a_virtual_port_can_be_destroyed_and_a_physical_one_not(engine: Engine) -> None:
    assert order_destroy(engine, VIRTUAL).subject == "vport"
    with pytest.raises(HwcensusError, match="scsi_host5 is a physical port") as error:
        order_destroy(engine, PORT5)
    assert error.value.code == "physical-port"


def test_the_same_request_for_another_pool_is_another_request(engine: Engine) -> None:
    first = order(engine, idempotency_key="k1")
    assert order(engine, idempotency_key="k1").id == first.id
    with pytest.raises(HwcensusError, match="another request"):
        order(engine, idempotency_key="k1", pool="prod")
    assert first.host == HOST
