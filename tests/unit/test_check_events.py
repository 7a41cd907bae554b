"""Records checked in one piece: exactly what is accepted one by one, with the same bytes, whatever stands beside it."""

from collections.abc import Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hwcensus import document
from hwcensus.errors import InvalidDocument
from hwcensus.event import AT_ONCE, Told, check_events, event_of, read_event
from tests.fixtures.simulated_host import Nic, SimulatedHost


def specimens() -> list[bytes]:
    """Valid records of several types."""
    host = SimulatedHost("4c4c4544-0042-3010-8051-b2c04f4b3132")
    told = [host.hello(), host.add(Nic(1)), host.change_link(1, "down"), host.heartbeat(), *host.manifest()]
    return [event.to_bytes() for event in [*told, host.remove(1)]]


SPECIMENS = specimens()
#: What might break out of its place, hide what follows, or mean something else inside another document.
NASTY = [
    b"</r>", b'<r n="0">', b'</r><r n="0-0">', b"</batch>", b"</batch><batch>", b"<r/>", b"<event/>", b"</event>",
    b"<!--", b"-->", b"<!-- x -->", b"<![CDATA[", b"]]>", b"<![CDATA[]]>", b"<![CDATA[ ]]>", b"<![CDATA[x]]>", b"<?x",
    b"?>", b"<?x y?>", b'<?xml version="1.0"?>', b'<?xml version="1.0" encoding="UTF-16"?>',
    b'<?xml version="1.0" encoding="ISO-8859-1"?>', b"\xef\xbb\xbf", b"\xff\xfe", b"\xff", b"\xe4", b"\0", b" ",
    b"\r\n", b"\x85", b"\xc2\x85", b"&#32;", b"&#10;", b"&#0;", b"&amp;", b"&a;", b"&", b"<", b">", b'"', b"x",
    b"<!DOCTYPE event>", b'<!DOCTYPE e [<!ENTITY a "b">]>', b' xml:space="preserve"', b' xmlns="urn:x"', b' a:b="c"',
    b' xmlns:a="urn:x"', b' xml:id="a"', b' n="1"', b"<a>" * 300, b"</a>" * 300,
]  # fmt: skip


@st.composite
def records(draw: st.DrawFn) -> bytes:
    """A valid record, with up to three things put somewhere into it, often before or behind it."""
    raw = draw(st.sampled_from(SPECIMENS))
    for _ in range(draw(st.integers(0, 3))):
        ends = [0, len(raw), *(i for i, byte in enumerate(raw) if byte in b"<> ")]
        at = draw(st.sampled_from(ends))
        raw = raw[:at] + draw(st.sampled_from(NASTY)) + raw[at:]
    encoding = draw(st.sampled_from(["utf-8"] * 9 + ["utf-16"]))
    return raw if encoding == "utf-8" else raw.decode("latin-1").encode(encoding)


Outcome = tuple[str, ...] | tuple[bytes, ...]


def alone(raw: bytes) -> Outcome:
    try:
        event = read_event(raw)
    except InvalidDocument as error:
        return error.code, str(error)
    return outcome_of(event)


def together(raws: Sequence[bytes]) -> list[Outcome]:
    found: list[Outcome] = []
    for checked in check_events(raws):
        try:
            if isinstance(checked, InvalidDocument):
                raise checked
            found.append(outcome_of(event_of(checked)))
        except InvalidDocument as error:
            found.append((error.code, str(error)))
    return found


def outcome_of(event: object) -> tuple[bytes, ...]:
    """Everything that is stored of it."""
    if not isinstance(event, Told) or event.device is None:
        return (repr(event).encode(),)
    whole = document.to_bytes(event.device)
    parts = document.take_apart(event.device)
    return whole, parts.facts, parts.state, repr((type(event), event.stream, event.seq, event.identity)).encode()


@given(st.lists(st.one_of(records(), st.sampled_from(SPECIMENS)), min_size=1, max_size=6))
@example([b"<![CDATA[]]>" + SPECIMENS[1]])
@example([SPECIMENS[1] + b"<![CDATA[]]>", SPECIMENS[2]])
@example([SPECIMENS[1] + b"<!--", b"-->" + SPECIMENS[2]])
@example([SPECIMENS[1] + b"<![CDATA[", b"]]>" + SPECIMENS[2]])
@example([SPECIMENS[1] + b'</r><r n="0-1">' + SPECIMENS[2]])
@example([b"", SPECIMENS[1]])
def test_a_batch_is_read_as_its_records_are_alone(raws: list[bytes]) -> None:
    assert together(raws) == [alone(raw) for raw in raws]


@given(st.lists(st.one_of(st.binary(max_size=200), records()), max_size=4))
def test_any_bytes_are_events_or_refused_with_a_code(raws: list[bytes]) -> None:
    assert together(raws) == [alone(raw) for raw in raws]


@pytest.mark.parametrize("more", [-1, 0, 1])
def test_a_batch_of_any_length_keeps_its_order(more: int) -> None:
    raws = [SPECIMENS[i % len(SPECIMENS)] for i in range(AT_ONCE + more)]
    raws[-1] = b"<event/>"
    found = check_events(raws)
    assert len(found) == len(raws)
    assert isinstance(found[-1], InvalidDocument)
    assert [root.get("type") for root in found[:3] if not isinstance(root, InvalidDocument)] == [
        "hello",
        "add",
        "change",
    ]


@pytest.mark.parametrize(
    "specimen, old, new",
    [
        (SPECIMENS[1], b' source="', b' stands-for="1000000000" source="'),
        (SPECIMENS[0], b' host="', b' moved-from="1000000000" host="'),
        (SPECIMENS[0], b'partition="3"', b'partition="1000000000"'),
        (SPECIMENS[3], b'spool="0"', b'spool="1000000000"'),
        (SPECIMENS[3], b'spool="0"', b'spool="0" rss="1000000000000000000"'),
        (SPECIMENS[3], b'spool="0"', b'spool="0" cpu="1000000000"'),
        (SPECIMENS[3], b'at="3"', b'at="1000000000000000000"'),
        (SPECIMENS[5], b'seq="5"', b'seq="1000000000000000000"'),
    ],
)
def test_numbers_beyond_what_is_counted_are_refused(specimen: bytes, old: bytes, new: bytes) -> None:
    """Where they would be looked up or stored, a database would refuse them, and again for ever."""
    assert old in specimen
    assert alone(specimen.replace(old, new))[0] == "schema"
    assert alone(specimen.replace(old, new.replace(b"00", b"0", 1)))[0] != "schema"
