"""Records read by their form: exactly what is read of each alone, and nothing that alone is refused."""

from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hwcensus import codec
from hwcensus.classes.scsihost import Fc, ScsiHost
from hwcensus.device import Device
from hwcensus.errors import InvalidDocument
from hwcensus.event import Add, read_event
from hwcensus_collector.ingest import form
from hwcensus_collector.ingest.form import Forms
from hwcensus_collector.ingest.record import Reading, Record, of_event
from tests.fixtures.simulated_host import Nic, SimulatedHost
from tests.unit.devices import devices
from tests.unit.test_check_events import SPECIMENS, records

AT = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
#: Right for some facts and wrong for others, or for all; plain or not.
VALUES = [
    "", " ", "0", "1", "00", "01", "-1", "+1", "1.5", "1_0", "9" * 9, "9" * 10, "9" * 18, "9" * 19, "9" * 20, "9" * 21,
    "yes", "no", "yes ", "none", "a", "A", "ff", "0" * 16, "f" * 16, "F" * 16, "52:54:00:00:00:09", "a b", " a", "a ",
    "a\tb", "a\nb", "\r", "\x7f", "\x00", "%", "%s", "%(a)s", "{}", "\\1", "'", '"', "a'b", 'a="b"', ">", "a>b", "<x/>",
    "]]>", "&", "&amp;", "&#65;", "&#10;", "&lt;", "ü", "\u2028", "\ufffe", "\U0001f600", "２",
    "to be filled by o.e.m.",
    "2026-11-23T14:00:00Z", "2026-13-23T14:00:00Z", "2026-11-23T14:00:00.1234567Z", "2026-11-23T14:00:00+01:00",
    "x" * 1001, "x" * 70_000,
]  # fmt: skip

Outcome = list[object]


def said(record: Record) -> Outcome:
    """Everything that is stored of a record, or looked at."""
    fields = {name: value for name, value in vars(record.event).items() if name != "device"}
    reading = [repr(getattr(record.reading, name)) for name in Reading.__slots__] if record.reading is not None else []
    return [type(record.event), fields, *record[:5], record.identity, *reading]


def alone(raw: bytes) -> Outcome:
    try:
        return said(of_event(read_event(raw), AT))
    except InvalidDocument as error:
        return [error.code, str(error)]


def by_form(forms: Forms, raw: bytes) -> Outcome | None:
    known = forms.read(raw)
    try:
        return None if known is None else said(of_event(known[0], AT, known[1]))
    except InvalidDocument as error:
        return [error.code, str(error)]


def met(*raws: bytes) -> Forms:
    """Forms that have met each record twice."""
    forms = Forms()
    assert all(forms.read(raw) is None for raw in raws * 2)
    return forms


def add(device: Device) -> bytes:
    event = Add(host="h", stream="s", seq=1, time=AT, identity="i", source="udev", device=codec.write_device(device))
    return event.to_bytes()


@given(devices(), st.data())
def test_a_record_with_any_values_is_read_by_its_form_as_it_is_alone(device: Device, data: st.DataObject) -> None:
    raw = add(device)
    forms = met(raw)
    assert by_form(forms, raw) in (None, alone(raw))
    pieces = form.VALUE.split(raw.decode())
    values = st.one_of(st.sampled_from(VALUES), st.sampled_from(pieces[2::3]), st.text(max_size=3))
    for place in data.draw(st.lists(st.sampled_from(range(2, len(pieces), 3)), min_size=1, max_size=3)):
        pieces[place] = data.draw(values)
        other = "".join(pieces).encode()
        assert by_form(forms, other) in (None, alone(other))


@given(st.lists(records(), min_size=1, max_size=4))
@example([b"<!-- -->" + SPECIMENS[1]])
@example([SPECIMENS[1].replace(b"<name>", b"<name><!---->")])
@example([SPECIMENS[1].replace(b"<name>", b"<name><![CDATA[]]>")])
@example([SPECIMENS[1].replace(b"<device>", b'<?x y="z"?><device>')])
@example([SPECIMENS[1].replace(b'seq="2"', b"seq='2'")])
def test_whatever_stands_in_the_records_that_a_form_is_learned_from(raws: list[bytes]) -> None:
    forms = Forms()
    for raw in [*SPECIMENS, *raws] * 3:
        assert by_form(forms, raw) in (None, alone(raw))


def test_every_value_of_a_fact_may_be_another() -> None:
    """A form is not only right but of use: what is plain and right needs no parsing."""
    forms = met(*SPECIMENS[1:3])
    host = SimulatedHost("another", name="db8")
    host.hello()
    for event in (host.add(Nic(7, driver="igb")), host.change_link(7, "down")):
        assert by_form(forms, event.to_bytes()) == alone(event.to_bytes())


def test_a_value_that_its_fact_cannot_have_is_left_to_the_schema() -> None:
    forms = met(SPECIMENS[1])
    assert forms.read(SPECIMENS[1]) is not None
    for old, new in [
        (b'seq="2"', b'seq="02"'),
        (b"52:54:00", b"52:54:0x"),
        (b"-23T", b"-33T"),
        (b"net_eth1", b"net eth1"),
    ]:
        assert old in SPECIMENS[1]
        assert forms.read(SPECIMENS[1].replace(old, new)) is None


@pytest.mark.parametrize("met_with, told", [(0, 255), (255, 0)])
def test_what_follows_from_a_value_follows_from_the_one_that_is_told(met_with: int, told: int) -> None:
    def port(most: int) -> bytes:
        fc = Fc(wwnn="20000000c9a1b2c3", wwpn="10000000c9a1b2c3", vports_max=most)
        return add(Device(name="scsi_host2", capabilities=(ScsiHost(host=2, nested=(fc,)),)))

    assert by_form(met(port(met_with)), port(told)) == alone(port(told))


def test_a_record_that_is_refused_has_no_form() -> None:
    broken = SPECIMENS[1].replace(b"<driver>e1000e</driver>", b"").replace(b"<name>", b"<driver>e1000e</driver><name>")
    assert alone(broken)[0] == "schema"
    assert met(broken, broken).read(broken) is None


def test_a_value_that_is_only_part_of_a_fact_makes_no_form() -> None:
    inch = SPECIMENS[1].replace(b"e1000e", b'5" disk')
    assert alone(inch)[0] is Add
    assert met(inch, inch).read(inch) is None


@pytest.mark.parametrize("most, has", [(form.MOST_VALUES - 8, True), (form.MOST_VALUES, False)])
def test_a_record_of_very_many_values_has_no_form(most: int, has: bool) -> None:
    record = add(Device(name="n", devnode=tuple(f"/dev/{i}" for i in range(most))))
    assert (met(record).read(record) is not None) is has


def test_forms_beyond_what_is_kept_make_room_for_all_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(form, "MOST_FORMS", 2)
    forms = met(SPECIMENS[1])
    for driver in ("ü", "ö"):
        forms.read(SPECIMENS[1].replace(b"e1000e", driver.encode()))
    assert forms.read(SPECIMENS[1]) is None
    assert forms.read(SPECIMENS[1]) is None
    assert by_form(forms, SPECIMENS[1]) == alone(SPECIMENS[1])
