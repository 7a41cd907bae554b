"""Names of virtual ports: given, taken from a pool or made, and what becomes of them with their commands."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, insert, select, text, update

from hwcensus.errors import HwcensusError
from hwcensus.instant import now
from hwcensus_collector import tables
from hwcensus_collector.database import writing
from hwcensus_collector.relay import outbox
from hwcensus_collector.relay.ends import abandon, cancel
from hwcensus_collector.relay.queue import queue_create
from hwcensus_collector.relay.results import ResultStep, record_results
from hwcensus_collector.wwns.life import adopt
from hwcensus_collector.wwns.pool import add_pool, remove_pool
from tests.wire.relay_world import HOST, database
from tests.wire.san_world import (
    FIRST,
    LAST,
    OTHER,
    OUI,
    PORT5,
    SAN,
    add_port,
    add_san_host,
    named,
    order,
    order_destroy,
    remove,
    row_of,
    send_out,
    told,
    vport,
)

WWPN = "20000025b5ff0001"


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = database(database_url)
    with writing(engine) as connection:
        add_san_host(connection)
        add_san_host(connection, OTHER, "web1.example.org")
        add_port(connection, "scsi_host5", PORT5)
        add_port(connection, "scsi_host5", "210000e08b9318b1", host=OTHER)
    yield engine
    engine.dispose()


@pytest.fixture
def pool(engine: Engine) -> None:
    with writing(engine) as connection:
        add_pool(connection, "prod", FIRST, LAST, None)


def at(offset: int) -> str:
    """A name of the pool."""
    return f"{int(FIRST, 16) + offset:016x}"


def refused(engine: Engine, document: bytes | None = None, host: str = HOST, **more: Any) -> HwcensusError:
    with pytest.raises(HwcensusError) as error:
        order(engine, document, host, **more)
    return error.value


def age(engine: Engine, wwpn: str, seconds: float) -> None:
    """Lets time pass for a name."""
    with writing(engine) as connection:
        passed = update(tables.wwn).where(tables.wwn.c.wwpn == wwpn)
        connection.execute(passed.values(since=now() - timedelta(seconds=seconds)))


def abandoned(engine: Engine, document: bytes, host: str = HOST, **more: Any) -> str:
    queued = order(engine, document, host, **more)
    send_out(engine, queued.id)
    with writing(engine) as connection:
        connection.execute(tables.command.update().values(expires=now() - timedelta(seconds=1)))
    with writing(engine) as connection:
        abandon(connection, queued.id, actor="root")
    return queued.id


def made(engine: Engine, wwpn: str = WWPN, host: str = HOST) -> None:
    """A port of this name, ordered, made and in the census."""
    queued = order(engine, vport(wwpn), host)
    with writing(engine) as connection:
        add_port(connection, "scsi_host9", wwpn, host=host, most=None, used=None, parent_wwpn=PORT5)
    told(engine, queued.id, "succeeded", host=host)


def destroyed(engine: Engine, wwpn: str = WWPN, host: str = HOST) -> str:
    queued = order_destroy(engine, wwpn, host)
    with writing(engine) as connection:
        remove(connection, wwpn)
    told(engine, queued.id, "succeeded", host=host)
    return queued.id


def test_what_is_not_given_is_made_of_the_configured_oui(engine: Engine) -> None:
    names = [named(engine, order(engine).id) for _ in range(20)]
    flat = {name for one in names for name in one.values()}
    assert len(flat) == 40
    assert {name[:7] for name in flat} == {f"5{OUI}"}


def test_without_an_oui_the_refusal_says_how_to_set_it(engine: Engine) -> None:
    error = refused(engine, settings=replace(SAN, oui=None))
    assert (error.code, "commands.oui" in error.message) == ("no-oui", True)
    assert refused(engine, vport(WWPN), settings=replace(SAN, oui=None)).message.startswith("no wwnn is given")
    assert order(engine, vport(WWPN, "20000025b5ff0000"), settings=replace(SAN, oui=None)).state == "queued"


@pytest.mark.usefixtures("pool")
def test_a_pool_gives_its_lowest_free_name_and_another_one_for_the_node(engine: Engine) -> None:
    assert named(engine, order(engine, pool="prod").id) == {"wwpn": at(0), "wwnn": at(1)}
    assert named(engine, order(engine, pool="prod").id) == {"wwpn": at(2), "wwnn": at(3)}
    assert named(engine, order(engine, vport(wwnn="20000025b5ff0000"), pool="prod").id)["wwpn"] == at(4)
    assert named(engine, order(engine, vport(WWPN), pool="prod").id) == {"wwpn": WWPN, "wwnn": at(5)}


def test_a_pool_may_have_one_node_name_for_all(engine: Engine) -> None:
    with writing(engine) as connection:
        add_pool(connection, "prod", FIRST, LAST, at(1))
    for offset in (0, 2, 3):
        assert named(engine, order(engine, pool="prod").id) == {"wwpn": at(offset), "wwnn": at(1)}


@pytest.mark.usefixtures("pool")
def test_a_pool_leaves_out_what_the_census_shows_anywhere(engine: Engine) -> None:
    with writing(engine) as connection:
        add_port(connection, "scsi_host8", at(0), host=OTHER, most=None, parent_wwpn="210000e08b9318b1")
        seen = connection.execute(select(tables.device.c.id).where(tables.device.c.name == "scsi_host8")).scalar_one()
        remote = {"device": seen, "kind": "wwpn", "value": at(1), "own": False}
        connection.execute(insert(tables.identifier).values(remote))
    assert named(engine, order(engine, pool="prod").id) == {"wwpn": at(2), "wwnn": at(3)}


@pytest.mark.usefixtures("pool")
def test_what_a_host_makes_again_at_boot_is_in_use_there_or_not(engine: Engine) -> None:
    with writing(engine) as connection:
        add_port(connection, "scsi_host6", "210000e08b9318b2", host=OTHER, wanted=(at(0), at(2), WWPN))
    assert named(engine, order(engine, pool="prod").id) == {"wwpn": at(1), "wwnn": at(3)}
    for force in (False, True):
        error = refused(engine, vport(WWPN), force=force)
        assert error.code == "wwn-in-use"
        assert error.message == f"wwpn {WWPN} is in use: it is made again at boot on scsi_host6 of web1.example.org"
    assert order(engine, vport(WWPN), OTHER).state == "queued"


def test_an_exhausted_pool_says_what_its_names_are(engine: Engine) -> None:
    with writing(engine) as connection:
        add_pool(connection, "tiny", at(0), at(2), at(0))
    for _ in range(2):
        order(engine, pool="tiny")
    error = refused(engine, pool="tiny")
    assert (error.code, error.message) == (
        "pool-exhausted",
        f"pool tiny ({at(0)} to {at(2)}) has no free name left (2 reserved)",
    )


@pytest.mark.usefixtures("pool")
def test_an_unknown_pool_is_answered_with_the_nearest(engine: Engine) -> None:
    error = refused(engine, pool="prodd")
    assert (error.code, getattr(error, "nearest", ())) == ("pool-unknown", ("prod",))
    with writing(engine) as connection:
        remove_pool(connection, "prod")
    assert refused(engine, pool="prod").code == "pool-unknown"


@pytest.mark.usefixtures("pool")
def test_many_at_once_never_get_the_same_name(engine: Engine) -> None:
    documents = [(None, "prod"), (vport(), None), (vport(WWPN), None)] * 12
    taken, codes = [], []

    def one(asked: tuple[bytes | None, str | None]) -> None:
        try:
            taken.append(named(engine, order(engine, asked[0], pool=asked[1]).id)["wwpn"])
        except HwcensusError as error:
            codes.append(error.code)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(one, documents))
    assert (len(taken), len(set(taken)), taken.count(WWPN)) == (25, 25, 1)
    assert codes == ["wwn-in-use"] * 11


def test_a_name_that_the_census_shows_is_refused_with_host_and_device(engine: Engine) -> None:
    for force in (False, True):
        error = refused(engine, vport("210000e08b9318b1"), force=force)
        assert error.code == "wwn-in-use"
        assert error.message == "wwpn 210000e08b9318b1 is in use: it is scsi_host5 of web1.example.org"


def test_a_name_on_order_is_refused_with_its_command(engine: Engine) -> None:
    first = order(engine, vport(WWPN))
    for force in (False, True):
        error = refused(engine, vport(WWPN), OTHER, force=force)
        assert error.code == "wwn-in-use"
        assert error.message == f"wwpn {WWPN} is in use: reserved for db7.example.org, command {first.id}"


def test_a_node_name_may_be_shared(engine: Engine) -> None:
    wwnn = "20000025b5ff0000"
    for wwpn in (WWPN, "20000025b5ff0002"):
        assert named(engine, order(engine, vport(wwpn, wwnn)).id)["wwnn"] == wwnn


def test_success_makes_the_host_the_holder(engine: Engine) -> None:
    queued = order(engine, vport(WWPN))
    assert row_of(engine, WWPN) == ("reserved", "create", HOST)
    told(engine, queued.id, "accepted")
    assert row_of(engine, WWPN) == ("reserved", "create", HOST)
    told(engine, queued.id, "succeeded")
    assert row_of(engine, WWPN) == ("held", "create", HOST)


@pytest.mark.parametrize("state, code", [("failed", "kernel-refused"), ("failed", "not-online"), ("expired", None)])
def test_what_was_certainly_not_made_is_free_at_once(engine: Engine, state: str, code: str | None) -> None:
    queued = order(engine, vport(WWPN))
    told(engine, queued.id, state, code=code)
    assert row_of(engine, WWPN) is None
    assert order(engine, vport(WWPN), OTHER).state == "queued"


def test_a_cancelled_command_and_one_that_could_not_be_sent_give_their_names_back(engine: Engine) -> None:
    queued = order(engine, vport(WWPN))
    with writing(engine) as connection:
        cancel(connection, queued.id, actor="alice")
    assert row_of(engine, WWPN) is None
    order(engine, vport(WWPN))
    with writing(engine) as connection:
        assert len(outbox.expire(connection, now() + timedelta(days=1))) == 1
    assert row_of(engine, WWPN) is None


@pytest.mark.parametrize("code", ["interrupted", "not-seen", "wrong-stream", "replayed"])
def test_what_may_have_been_made_rests_for_a_while(engine: Engine, code: str) -> None:
    queued = order(engine, vport(WWPN))
    told(engine, queued.id, "failed", code=code)
    assert row_of(engine, WWPN) == ("quarantined", "unknown", HOST)
    error = refused(engine, vport(WWPN))
    assert error.code == "wwn-in-use"
    assert "in quarantine until 20" in error.message
    age(engine, WWPN, SAN.wwn_quarantine + 1)
    assert order(engine, vport(WWPN), OTHER).state == "queued"


def test_a_resting_name_whose_host_shows_it_after_all_is_held(engine: Engine) -> None:
    for wwpn, code in ((WWPN, "interrupted"), ("20000025b5ff0003", "not-seen")):
        told(engine, order(engine, vport(wwpn)).id, "failed", code=code)
    with writing(engine) as connection:
        add_port(connection, "scsi_host9", WWPN, most=None, used=None, parent_wwpn=PORT5)
    order(engine)
    assert row_of(engine, WWPN) == ("held", "seen", HOST)
    assert row_of(engine, "20000025b5ff0003") == ("quarantined", "unknown", HOST)


def test_a_destroyed_ports_name_rests_but_its_own_host_may_make_it_again(engine: Engine) -> None:
    for _ in range(3):
        made(engine)
        destroyed(engine)
        assert row_of(engine, WWPN) == ("quarantined", "destroy", HOST)
    error = refused(engine, vport(WWPN), OTHER)
    assert (error.code, "after destroy (db7.example.org" in error.message) == ("wwn-in-use", True)
    assert order(engine, vport(WWPN), OTHER, force=True).state == "queued"


@pytest.mark.usefixtures("pool")
def test_a_pool_gives_a_resting_name_only_when_its_quarantine_is_over(engine: Engine) -> None:
    made(engine, at(0))
    destroyed(engine, at(0))
    queued = order(engine, vport(wwnn=WWPN), pool="prod")
    assert named(engine, queued.id)["wwpn"] == at(1)
    age(engine, at(0), SAN.wwn_quarantine + 1)
    assert named(engine, order(engine, vport(wwnn=WWPN), pool="prod").id)["wwpn"] == at(0)


def test_the_name_of_a_port_that_was_made_behind_our_back_rests_too(engine: Engine) -> None:
    with writing(engine) as connection:
        add_port(connection, "scsi_host9", WWPN, most=None, parent_wwpn=PORT5)
    destroyed(engine)
    assert row_of(engine, WWPN) == ("quarantined", "destroy", HOST)


def test_a_destroy_that_failed_changes_nothing(engine: Engine) -> None:
    made(engine)
    told(engine, order_destroy(engine, WWPN).id, "failed", code="in-use")
    assert row_of(engine, WWPN) == ("held", "create", HOST)


def test_a_check_of_a_destroy_changes_nothing_however_it_ends(engine: Engine) -> None:
    made(engine)
    for state, code in (("succeeded", None), ("failed", "in-use")):
        told(engine, order_destroy(engine, WWPN, type_="check-destroy").id, state, code=code)
        assert row_of(engine, WWPN) == ("held", "create", HOST)


def test_an_abandoned_name_rests_without_an_end(engine: Engine) -> None:
    abandoned(engine, vport(WWPN))
    assert row_of(engine, WWPN) == ("quarantined", "abandoned", HOST)
    age(engine, WWPN, 1e8)
    error = refused(engine, vport(WWPN))
    assert (error.code, "until that host answers" in error.message) == ("wwn-in-use", True)


@pytest.mark.parametrize(
    "state, code, after",
    [
        ("succeeded", None, ("held", "create", HOST)),
        ("failed", "kernel-refused", None),
        ("failed", "interrupted", ("quarantined", "unknown", HOST)),
        ("expired", None, None),
        ("accepted", None, ("quarantined", "abandoned", HOST)),
        ("failed", "replayed", ("quarantined", "abandoned", HOST)),
    ],
)
def test_a_late_result_says_what_became_of_an_abandoned_name(
    engine: Engine, state: str, code: str | None, after: tuple[str, str, str] | None
) -> None:
    late = abandoned(engine, vport(WWPN))
    told(engine, late, state, code=code)
    assert row_of(engine, WWPN) == after


def test_a_late_result_moves_no_name_that_somebody_else_was_given_since(engine: Engine) -> None:
    late = abandoned(engine, vport(WWPN))
    order(engine, vport(WWPN), OTHER, force=True)
    told(engine, late, "failed", code="kernel-refused")
    assert row_of(engine, WWPN) == ("reserved", "abandoned", OTHER)


def test_a_name_that_was_not_free_goes_back_to_what_it_was(engine: Engine) -> None:
    made(engine)
    with writing(engine) as connection:
        remove(connection, WWPN)
    told(engine, order(engine, vport(WWPN)).id, "failed", code="kernel-refused")
    assert row_of(engine, WWPN) == ("held", "create", HOST)
    told(engine, order(engine, vport(WWPN)).id, "succeeded")
    with writing(engine) as connection:
        add_port(connection, "scsi_host9", WWPN, most=None, used=None, parent_wwpn=PORT5)
    destroyed(engine)
    told(engine, order(engine, vport(WWPN)).id, "failed", code="kernel-refused")
    assert row_of(engine, WWPN) == ("quarantined", "destroy", HOST)
    told(engine, abandoned(engine, vport(WWPN)), "failed", code="kernel-refused")
    assert row_of(engine, WWPN) == ("quarantined", "destroy", HOST)
    abandoned(engine, vport(WWPN))
    told(engine, order(engine, vport(WWPN), OTHER, force=True).id, "failed", host=OTHER, code="kernel-refused")
    assert row_of(engine, WWPN) == ("quarantined", "abandoned-again", HOST)


@pytest.mark.parametrize(
    "who, reason", [("adopting", "seen"), ("an order of the least", "seen"), ("results", "create")]
)
def test_names_are_locked_in_one_order_so_that_nobody_waits_for_who_waits_for_him(
    postgresql_url: str, who: str, reason: str
) -> None:
    engine = database(postgresql_url)
    names = [at(9), at(5), at(1)]
    with writing(engine) as connection:
        add_san_host(connection)
        add_port(connection, "scsi_host5", PORT5)
    late = [abandoned(engine, vport(wwpn)) for wwpn in names]
    seen = names[:2] if who == "an order of the least" else names
    if who != "results":
        for one in late:
            told(engine, one, "failed", code="interrupted")
        with writing(engine) as connection:
            for wwpn in seen:
                add_port(connection, f"scsi_host{wwpn[-1]}", wwpn, most=None, used=None, parent_wwpn=PORT5)

    def moves_them() -> None:
        with writing(engine) as connection:
            if who == "adopting":
                adopt(connection)
            elif who == "an order of the least":
                queue_create(connection, SAN, HOST, vport(at(1)), actor="alice", force=True)
            else:
                steps = [ResultStep(command=one, host=HOST, state="succeeded", at=now()) for one in late]
                record_results(connection, steps)

    def locked(connection: Connection, wwpn: str) -> None:
        connection.execute(select(tables.wwn).where(tables.wwn.c.wwpn == wwpn).with_for_update(nowait=True)).one()

    with ThreadPoolExecutor(1) as threads:
        with writing(engine) as connection:
            locked(connection, at(1))
            moved = threads.submit(moves_them)
            while not connection.execute(text("SELECT 1 FROM pg_locks WHERE NOT granted")).first():
                assert not moved.done(), "it waits for nobody"
            locked(connection, at(5))
            locked(connection, at(9))
        moved.result()
    assert [row_of(engine, wwpn) for wwpn in seen] == [("held", reason, HOST)] * len(seen)
    engine.dispose()


def test_a_name_that_another_host_took_by_force_and_did_not_make_is_again_whose_it_was(engine: Engine) -> None:
    made(engine)
    with writing(engine) as connection:
        remove(connection, WWPN)
    told(engine, order(engine, vport(WWPN), OTHER, force=True).id, "failed", host=OTHER, code="kernel-refused")
    assert row_of(engine, WWPN) == ("held", "create", HOST)
    assert refused(engine, vport(WWPN), OTHER).code == "wwn-in-use"
    assert order(engine, vport(WWPN)).state == "queued"


def test_an_abandoned_name_that_another_host_took_by_force_in_vain_waits_for_its_late_result_again(
    engine: Engine,
) -> None:
    late = abandoned(engine, vport(WWPN))
    for _ in range(2):
        told(engine, order(engine, vport(WWPN), OTHER, force=True).id, "failed", host=OTHER, code="kernel-refused")
        assert row_of(engine, WWPN) == ("quarantined", "abandoned", HOST)
    told(engine, late, "failed", code="kernel-refused")
    assert row_of(engine, WWPN) is None


@pytest.mark.parametrize(
    "state, after",
    [("failed", None), ("succeeded", ("held", "create", HOST)), ("accepted", ("quarantined", "abandoned", HOST))],
)
@pytest.mark.parametrize("takers", [1, 2])
def test_a_late_result_that_comes_while_another_host_has_taken_the_name_by_force_counts_when_it_gives_it_back(
    engine: Engine, state: str, after: tuple[str, str, str] | None, takers: int
) -> None:
    late = abandoned(engine, vport(WWPN))
    between = [abandoned(engine, vport(WWPN), OTHER, force=True) for _ in range(takers - 1)]
    taker = order(engine, vport(WWPN), OTHER, force=True)
    told(engine, late, state, code="kernel-refused" if state == "failed" else None)
    assert row_of(engine, WWPN) == ("reserved", "abandoned" if takers == 1 else "abandoned-again", OTHER)
    told(engine, taker.id, "failed", host=OTHER, code="kernel-refused")
    for again in between:
        assert row_of(engine, WWPN) == ("quarantined", "abandoned-again", OTHER)
        told(engine, again, "failed", host=OTHER, code="kernel-refused")
    assert row_of(engine, WWPN) == after


def test_a_result_that_is_told_twice_or_contradicts_itself_moves_a_name_once(engine: Engine) -> None:
    queued = order(engine, vport(WWPN))
    told(engine, queued.id, "succeeded")
    told(engine, queued.id, "failed", code="kernel-refused")
    assert row_of(engine, WWPN) == ("held", "create", HOST)


def test_a_late_destroy_says_nothing_of_the_port_made_since(engine: Engine) -> None:
    made(engine)
    late = order_destroy(engine, WWPN)
    send_out(engine, late.id)
    with writing(engine) as connection:
        connection.execute(update(tables.command).where(tables.command.c.id == late.id).values(state="abandoned"))
        remove(connection, WWPN)
    made(engine)
    told(engine, late.id, "succeeded")
    assert row_of(engine, WWPN) == ("held", "create", HOST)


def test_a_host_that_lost_its_port_may_make_it_again_and_another_only_by_force(engine: Engine) -> None:
    made(engine)
    with writing(engine) as connection:
        remove(connection, WWPN)
    error = refused(engine, vport(WWPN), OTHER)
    assert (error.code, "held by db7.example.org" in error.message) == ("wwn-in-use", True)
    assert order(engine, vport(WWPN)).state == "queued"
