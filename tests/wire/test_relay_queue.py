"""Queueing commands on SQLite and PostgreSQL: what is refused, what is written, and how people end a command."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, func, select

from hwcensus.command import read_command
from hwcensus.errors import HwcensusError, InvalidDocument, NotFound, Refused, UsageError
from hwcensus.instant import now
from hwcensus_collector import tables
from hwcensus_collector.database import writing
from hwcensus_collector.inventory import commands as inventory
from hwcensus_collector.relay import outbox
from hwcensus_collector.relay.ends import abandon, cancel
from hwcensus_collector.relay.queue import Request, queue_create, queue_order
from tests.wire.relay_world import (
    HOST,
    SETTINGS,
    STREAM,
    add_device,
    add_host,
    audited,
    bridge,
    command,
    database,
    queue,
    set_host,
    states,
)

BRIDGE = "net/place/virtual/net/hwc0"


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = database(database_url)
    with writing(engine) as connection:
        add_host(connection)
        add_device(connection, "net_hwc0", BRIDGE)
        add_device(connection, "net_hwc1", "net/place/virtual/net/hwc1", present=False)
        add_device(connection, "computer", "computer")
    yield engine
    engine.dispose()


def body(engine: Engine, command_id: str) -> bytes:
    with engine.begin() as connection:
        raw: bytes = connection.execute(
            select(tables.command.c.body).where(tables.command.c.id == command_id)
        ).scalar_one()
    return raw


def order(
    engine: Engine, type_: str, device: str, *, force: bool = False, driver: str | None = None, key: str | None = None
) -> inventory.Command:
    request = Request(actor="alice", door="api", idempotency_key=key, expires_in=None)
    with writing(engine) as connection:
        return queue_order(connection, SETTINGS, type_, HOST, device, request=request, force=force, driver=driver)


def destroy(engine: Engine, device: str, key: str | None = None) -> inventory.Command:
    return order(engine, "destroy", device, key=key)


def refused(engine: Engine, document: bytes = b"", **more: object) -> HwcensusError:
    arguments: dict[str, object] = {"host": HOST, "actor": "alice"} | more
    with pytest.raises(HwcensusError) as error, writing(engine) as connection:
        queue_create(connection, SETTINGS, document=document or bridge(), **arguments)  # type: ignore[arg-type]
    with engine.begin() as connection:
        assert connection.execute(select(func.count()).select_from(tables.command)).scalar_one() == 0
        assert connection.execute(select(func.count()).select_from(tables.audit)).scalar_one() == 0
    return error.value


def test_a_queued_command_has_its_row_its_first_step_and_its_audit_row(engine: Engine) -> None:
    queued = queue(engine)
    assert (queued.state, queued.type, queued.subject, queued.by) == ("queued", "create", "bridge", "alice")
    assert (queued.expires - queued.issued) == timedelta(seconds=SETTINGS.deadline)
    assert states(engine, queued.id) == ["queued"]
    assert audited(engine, queued.id) == [("alice", "api", "command.queued")]


def test_the_bytes_that_will_be_signed_are_a_command_that_agents_can_read(engine: Engine) -> None:
    queued = queue(engine)
    order = read_command(body(engine, queued.id))
    assert (order.id, order.host, order.stream, order.type, order.by) == (queued.id, HOST, STREAM, "create", "alice")
    assert order.expires == queued.expires
    assert order.device is not None
    assert order.device.findtext("capability/interface") == "hwc0"


def test_what_a_create_may_ask_for_stands_in_the_bytes(engine: Engine) -> None:
    with writing(engine) as connection:
        queued = queue_create(connection, SETTINGS, HOST, bridge(), actor="alice", force=True)
    order = read_command(body(engine, queued.id))
    assert (order.persistent, order.force, order.require) == (None, True, None)


def test_a_parent_is_completed_by_its_identity(engine: Engine) -> None:
    with writing(engine) as connection:
        document = bridge(parent="<parent>computer</parent>")
        queued = queue_create(connection, SETTINGS, HOST, document, actor="alice")
    order = read_command(body(engine, queued.id))
    assert order.device is not None
    assert order.device.find("parent[@identity='computer']") is not None


def test_a_destroy_names_the_device_by_name_and_identity(engine: Engine) -> None:
    for wanted in ("net_hwc0", BRIDGE):
        queued = destroy(engine, wanted)
        order = read_command(body(engine, queued.id))
        assert (order.name, order.identity, order.force) == ("net_hwc0", BRIDGE, None)
        assert (queued.subject, queued.name, queued.identity) == ("bridge", "net_hwc0", BRIDGE)


def test_a_host_may_be_called_by_its_name(engine: Engine) -> None:
    assert queue(engine, host="db7.example.org").host == HOST


@pytest.mark.parametrize(
    "document, code, said",
    [
        (b"<device", "not-xml", "line 1"),
        (b"<device/>", "no-capability", "capability"),
        (bridge("hwc0-is-far-too-long"), "name-too-long", "hwc0-is-far-too-long"),
        (bridge("hwc%d"), "bad-name", "hwc%d"),
        (b"<device><capability type='net'><interface>x</interface></capability></device>", "not-creatable", "bridge"),
    ],
)
def test_what_the_document_shows_is_refused_without_a_row(
    engine: Engine, document: bytes, code: str, said: str
) -> None:
    error = refused(engine, document)
    assert isinstance(error, InvalidDocument)
    assert (error.code, said in str(error)) == (code, True), str(error)


@pytest.mark.parametrize(
    "values, code, said",
    [
        ({"retired_at": now()}, "host-retired", "retired"),
        ({"conflict": {"stream": "x"}}, "host-in-conflict", "host accept"),
        ({"stream": None}, "no-stream", "has not introduced itself"),
        ({"clock_skew": 31.0}, "clock-skew", "off by +31 s, at most 30 s"),
        ({"clock_skew": -31.0}, "clock-skew", "off by -31 s, at most 30 s"),
        ({"creatable": []}, "not-creatable-here", "can create nothing, no bridge"),
        ({"creatable": ["vport"]}, "not-creatable-here", "can create only vport, no bridge"),
    ],
)
def test_what_the_host_is_not_ready_for_is_refused_in_its_name(
    engine: Engine, values: dict[str, Any], code: str, said: str
) -> None:
    set_host(engine, **values)
    error = refused(engine)
    assert isinstance(error, Refused)
    assert (error.code, "db7.example.org" in str(error), said in str(error)) == (code, True, True), str(error)


def test_a_clock_that_is_a_little_off_is_no_reason(engine: Engine) -> None:
    set_host(engine, clock_skew=29.0)
    assert queue(engine).state == "queued"


def test_an_unknown_host_is_answered_with_the_nearest_names(engine: Engine) -> None:
    error = refused(engine, host="db8.example.org")
    assert isinstance(error, NotFound)
    assert (error.code, getattr(error, "nearest", ())) == ("unknown-host", ("db7.example.org",))


@pytest.mark.parametrize(
    "more, code, said",
    [
        ({"expires_in": timedelta(0)}, "bad-deadline", "at most 604800 s, not for 0 s"),
        ({"expires_in": timedelta(days=8)}, "bad-deadline", "not for 691200 s"),
        ({"expires_in": timedelta(days=7, seconds=0.25)}, "bad-deadline", "at most 604800 s, not for 604800.25 s"),
        ({"require": "online"}, "bad-require", "bridge"),
        ({"require": "shiny"}, "bad-require", "'shiny'"),
        ({"idempotency_key": ""}, "bad-idempotency-key", "''"),
        ({"actor": ""}, "bad-actor", "''"),
        ({"actor": "alice\n"}, "bad-actor", r"'alice\n'"),
    ],
)
def test_what_is_asked_wrongly_is_a_usage_error_with_the_value(
    engine: Engine, more: dict[str, Any], code: str, said: str
) -> None:
    error = refused(engine, **more)
    assert isinstance(error, UsageError)
    assert (error.code, said in str(error)) == (code, True), str(error)


def test_devices_that_are_unknown_or_gone_are_not_destroyed(engine: Engine) -> None:
    with pytest.raises(NotFound) as unknown:
        destroy(engine, "net_hwc9")
    assert unknown.value.code == "unknown-device"
    with pytest.raises(Refused) as gone:
        destroy(engine, "net_hwc1")
    assert gone.value.code == "device-gone"


def test_a_virtual_port_that_is_not_there_is_destroyed_by_identity_where_its_host_wants_it(engine: Engine) -> None:
    wanted, adapter = "scsi/wwpn/5001438000000002", "scsi/wwpn/210000e08b9318a1"
    with writing(engine) as connection:
        kept = {"fc.wanted": ["5001438000000002"]}
        add_device(connection, "scsi_host5", adapter, types=("scsihost", "fc"), state=kept)
        add_device(connection, "scsi_host7", wanted, present=False, types=("scsihost", "fc"))
    order = read_command(body(engine, destroy(engine, wanted).id))
    assert (order.type, order.identity) == ("destroy", wanted)
    with pytest.raises(Refused, match="gone"):
        destroy(engine, "scsi_host7")  # which may be any port's name by now
    with pytest.raises(NotFound):
        destroy(engine, "scsi/wwpn/5001438000000003")
    with pytest.raises(Refused, match="physical"):
        destroy(engine, adapter)


@pytest.mark.parametrize("type_, driver", [("detach", None), ("detach", "pci-stub"), ("reattach", None)])
def test_a_device_is_given_to_another_driver_by_name_and_identity(
    engine: Engine, type_: str, driver: str | None
) -> None:
    with writing(engine) as connection:
        add_device(connection, "pci_0000_00_03_0", "pci/place/a", bus="pci", types=("pci",))
    queued = order(engine, type_, "pci_0000_00_03_0", driver=driver)
    sent = read_command(body(engine, queued.id))
    assert (sent.type, sent.name, sent.identity) == (type_, "pci_0000_00_03_0", "pci/place/a")
    assert (sent.driver, sent.force, queued.subject) == (driver, None, "pci")


@pytest.mark.parametrize("type_, driver", [("destroy", None), ("detach", "pci-stub"), ("reattach", None)])
def test_a_host_is_asked_about_an_order_as_it_would_be_given(engine: Engine, type_: str, driver: str | None) -> None:
    with writing(engine) as connection:
        add_device(connection, "pci_0000_00_03_0", "pci/place/a", bus="pci", types=("pci",))
    queued = order(engine, f"check-{type_}", "pci_0000_00_03_0", driver=driver)
    sent = read_command(body(engine, queued.id))
    assert (sent.type, sent.meant, sent.is_check) == (f"check-{type_}", type_, True)
    assert (sent.name, sent.identity, sent.driver) == ("pci_0000_00_03_0", "pci/place/a", driver)
    assert audited(engine, queued.id) == [("alice", "api", "command.queued")]


@pytest.mark.parametrize("type_", ["check-destroy", "check-reattach"])
def test_only_who_asks_about_a_detach_names_a_driver(engine: Engine, type_: str) -> None:
    with pytest.raises(UsageError) as error:
        order(engine, type_, "net_hwc0", driver="pci-stub")
    assert error.value.code == "bad-driver"


def test_where_the_inventory_knows_better_no_host_is_asked(engine: Engine) -> None:
    with writing(engine) as connection:
        add_device(connection, "scsi_host5", "scsi/wwpn/210000e08b9318a1", types=("scsihost", "fc"))
        add_device(connection, "pci_vga", "pci/place/vga", **DEVICES["pci_vga"])
    for type_, device, code in (("destroy", "scsi_host5", "physical-port"), ("detach", "pci_vga", "boot-vga")):
        with pytest.raises(Refused) as error:
            order(engine, f"check-{type_}", device)
        assert error.value.code == code


DEVICES: dict[str, dict[str, Any]] = {
    "net_hwc0": {},
    "usb_1-1:1.0": {"bus": "usb", "types": ("usb_interface",)},
    "usb_1-1": {"bus": "usb"},
    "pci_bridge": {"bus": "pci", "facts": {"pci.bridge.type": "pci"}},
    "pci_vga": {"bus": "pci", "facts": {"pci.boot_vga": True}},
    "pci_nic": {"bus": "pci"},
}


@pytest.mark.parametrize(
    "device, driver, code",
    [
        ("net_hwc0", None, "not-detachable"),
        ("usb_1-1:1.0", None, "not-detachable"),
        ("usb_1-1", "vfio-pci", "bad-driver"),
        ("pci_nic", "../evil", "bad-driver"),
        ("pci_nic", "", "bad-driver"),
        ("pci_bridge", None, "is-bridge"),
        ("pci_vga", None, "boot-vga"),
        ("net_hwc1", None, "device-gone"),
        ("net_hwc9", None, "unknown-device"),
    ],
)
def test_what_the_inventory_shows_cannot_be_detached_is_refused(
    engine: Engine, device: str, driver: str | None, code: str
) -> None:
    if device in DEVICES and device != "net_hwc0":
        with writing(engine) as connection:
            add_device(connection, device, f"x/place/{device}", **DEVICES[device])
    with pytest.raises(HwcensusError) as error:
        order(engine, "detach", device, driver=driver)
    assert error.value.code == code
    if code in ("is-bridge", "boot-vga"):
        assert order(engine, "detach", device, force=True).state == "queued"


def test_the_same_request_with_the_same_key_is_one_command(engine: Engine) -> None:
    first, second = (queue(engine, idempotency_key="k1") for _ in range(2))
    assert first == second
    with pytest.raises(Refused) as error:
        queue(engine, "hwc7", idempotency_key="k1")
    assert error.value.code == "idempotency-key-reused"
    with pytest.raises(Refused):
        destroy(engine, "net_hwc0", key="k1")


def test_a_repeated_request_is_answered_even_where_the_host_has_changed_since(engine: Engine) -> None:
    first = destroy(engine, "net_hwc0", key="k1")
    set_host(engine, retired_at=now())
    assert destroy(engine, "net_hwc0", key="k1").id == first.id


def test_many_at_once_get_numbers_one_after_the_other_and_one_key_makes_one_row(engine: Engine) -> None:
    with ThreadPoolExecutor(8) as threads:
        ids = list(threads.map(lambda n: queue(engine, f"hwc{n}", idempotency_key=f"k{n % 40}").id, [*range(40)] * 2))
    assert len(set(ids)) == 40
    with engine.begin() as connection:
        rows = connection.execute(select(tables.command.c.number).order_by(tables.command.c.number)).scalars().all()
    assert list(rows) == list(range(1, 41))


def test_ids_sort_by_the_time_they_were_made(engine: Engine) -> None:
    ids = [queue(engine).id for _ in range(20)]
    assert ids == sorted(ids)
    assert {one[14] for one in ids} == {"7"}


def test_a_queued_command_can_be_cancelled_once(engine: Engine) -> None:
    queued = queue(engine)
    with writing(engine) as connection:
        assert cancel(connection, queued.id, actor="bob", reason="wrong host").state == "cancelled"
    with pytest.raises(Refused, match="is cancelled"), writing(engine) as connection:
        cancel(connection, queued.id, actor="bob")
    assert states(engine, queued.id) == ["queued", "cancelled"]
    assert command(engine, queued.id).steps[-1].text == "wrong host"
    assert audited(engine, queued.id)[-1] == ("bob", "api", "command.cancelled")


def test_a_command_that_may_be_on_its_way_is_not_cancelled(engine: Engine) -> None:
    queued = queue(engine)
    with writing(engine) as connection:
        connection.execute(tables.command.update().values(partition=1))
    with pytest.raises(Refused, match="on its way"), writing(engine) as connection:
        cancel(connection, queued.id, actor="bob")


def test_a_command_is_abandoned_only_when_it_was_sent_and_its_deadline_is_past(engine: Engine) -> None:
    queued = queue(engine)
    codes = []
    changes = (
        {"expires": now() - timedelta(seconds=1)},
        {"state": "dispatched", "expires": now() + timedelta(hours=1)},
        {"state": "accepted", "expires": now() - timedelta(seconds=1)},
    )
    for change in changes:
        with writing(engine) as connection:
            connection.execute(tables.command.update().values(change))
        try:
            with writing(engine) as connection:
                codes.append(abandon(connection, queued.id, actor="root").state)
        except Refused as error:
            codes.append(error.code)
    assert codes == ["not-sent", "too-early", "abandoned"]
    assert audited(engine, queued.id)[-1] == ("root", "api", "command.abandoned")


def test_a_command_that_was_claimed_and_cannot_be_sent_is_abandoned_when_its_deadline_is_past(engine: Engine) -> None:
    queued = queue(engine)
    with writing(engine) as connection:
        assert [one.id for one in outbox.claim(connection, 64)] == [queued.id]
        # Its topic was made anew, with fewer partitions.
        connection.execute(tables.host.update().values(commands_partition=64))
    with pytest.raises(Refused) as early, writing(engine) as connection:
        abandon(connection, queued.id, actor="root")
    assert early.value.code == "too-early"
    with writing(engine) as connection:
        connection.execute(tables.command.update().values(expires=now() - timedelta(seconds=1)))
    with writing(engine) as connection:
        outbox.expire(connection, now())
        assert not outbox.claim(connection, 64)
        assert abandon(connection, queued.id, actor="root", reason="no such partition").state == "abandoned"
    assert states(engine, queued.id) == ["queued", "dispatched", "abandoned"]
    assert audited(engine, queued.id)[-2:] == [
        ("relay", "relay", "command.dispatched"),
        ("root", "api", "command.abandoned"),
    ]


def test_an_unknown_command_cannot_be_ended(engine: Engine) -> None:
    for end in (cancel, abandon):
        with pytest.raises(NotFound), writing(engine) as connection:
            end(connection, "0192e7", actor="root")
