"""Rows of the outbox to numbered events: what each says when it is taken, not when it was noted."""

from collections.abc import Callable, Iterable

from hwcensus import document
from hwcensus.census_digest import write_total
from hwcensus.event import Add, Change, Entry, Event, Gap, Manifest, Present, Produced, Remove, Result
from hwcensus.fact import printable
from hwcensus.instant import now, read_instant
from hwcensus_agent.news import ADD, CHANGE, GAP, MANIFEST, PRESENT, REMOVE, RESULT, Sight
from hwcensus_agent.spool import Spool, Waiting

#: Devices of one manifest part: about 120 bytes each, well under a batch.
MANIFEST_PART = 4000


class Renderer:
    """Renders for one host and the spool's current stream."""

    def __init__(self, host: str, spool: Spool) -> None:
        self._host, self._spool = host, spool

    def __call__(self, row: Waiting, seq: int) -> list[Event]:
        """The events that a row makes, numbered from `seq`; none for an answer about a device that is gone."""
        return _RENDER[row.type](self, row, seq)

    @property
    def _stream(self) -> str:
        return self._spool.stream or ""

    def _add(self, row: Waiting, seq: int) -> list[Event]:
        return [
            Add(
                host=self._host, stream=self._stream, seq=seq, time=row.time, identity=_sight(row).identity,
                source=_text(row, "source"), command=_text(row, "command"), stands_for=_number(row, "stands_for"),
                device=document.parse(_sight(row).xml),
            )
        ]  # fmt: skip

    def _change(self, row: Waiting, seq: int) -> list[Event]:
        return [
            Change(
                host=self._host, stream=self._stream, seq=seq, time=row.time, identity=_sight(row).identity,
                kind=_text(row, "kind") or "facts", changed=_words(row, "changed"), was=_text(row, "was"),
                source=_text(row, "source"), command=_text(row, "command"), stands_for=_number(row, "stands_for"),
                device=document.parse(_sight(row).xml),
            )
        ]  # fmt: skip

    def _remove(self, row: Waiting, seq: int) -> list[Event]:
        sight = _sight(row)
        return [
            Remove(
                host=self._host, stream=self._stream, seq=seq, time=row.time, identity=sight.identity,
                source=_text(row, "source"), command=_text(row, "command"), stands_for=_number(row, "stands_for"),
                name=sight.name, key=sight.key or None,
            )
        ]  # fmt: skip

    def _present(self, row: Waiting, seq: int) -> list[Event]:
        wanted = _words(row, "identities")
        sights: Iterable[Sight | None] = (
            map(self._spool.published_one, wanted) if "identities" in row.detail else self._spool.published()
        )
        return [
            Present(
                host=self._host, stream=self._stream, seq=seq + number, time=row.time, identity=sight.identity,
                for_=_text(row, "for") or "", device=document.parse(sight.xml),
            )
            for number, sight in enumerate(sight for sight in sights if sight is not None)
        ]  # fmt: skip

    def _manifest(self, row: Waiting, seq: int) -> list[Event]:
        entries = [
            Entry(
                identity=sight.identity,
                digest=sight.digest[: Entry.DIGEST_BYTES],
                state=sight.state_hash[: Entry.STATE_BYTES],
            )
            for sight in self._spool.published()
        ]
        parts = [entries[at : at + MANIFEST_PART] for at in range(0, len(entries), MANIFEST_PART)] or [[]]
        return [
            Manifest(
                host=self._host, stream=self._stream, seq=seq + number, time=row.time, for_=_text(row, "for"),
                part=number + 1, parts=len(parts), count=self._spool.count, digest=write_total(self._spool.digest),
                state_digest=write_total(self._spool.state_digest), entries=tuple(part),
            )
            for number, part in enumerate(parts)
        ]  # fmt: skip

    def _gap(self, row: Waiting, seq: int) -> list[Event]:
        return [
            Gap(
                host=self._host, stream=self._stream, seq=seq, time=now(), source=_text(row, "source") or "agent",
                from_=read_instant(str(row.detail["from"])), to=read_instant(str(row.detail["to"])),
                reason=_text(row, "reason") or "unknown",
            )
        ]  # fmt: skip

    def _result(self, row: Waiting, seq: int) -> list[Event]:
        produced = row.detail.get("produced")
        pairs = produced if isinstance(produced, list) else []
        return [
            Result(
                host=self._host, stream=self._stream, seq=seq, time=row.time, command=_text(row, "command") or "",
                state=_text(row, "state") or "", code=_text(row, "code"), text=_said(row),
                produced=tuple(Produced(identity=identity, name=name) for identity, name in pairs),
            )
        ]  # fmt: skip


_RENDER: dict[str, Callable[[Renderer, Waiting, int], list[Event]]] = {
    ADD: Renderer._add,
    CHANGE: Renderer._change,
    REMOVE: Renderer._remove,
    PRESENT: Renderer._present,
    MANIFEST: Renderer._manifest,
    GAP: Renderer._gap,
    RESULT: Renderer._result,
}


def _sight(row: Waiting) -> Sight:
    assert row.sight is not None, row.type
    return row.sight


def _text(row: Waiting, key: str) -> str | None:
    value = row.detail.get(key)
    return None if value is None else str(value)


def _said(row: Waiting) -> str | None:
    """A result's text, which may repeat what others said: modprobe, drivers, whoever named an interface."""
    text = _text(row, "text")
    return None if text is None else printable(text.encode("utf-8", "surrogateescape"))


def _number(row: Waiting, key: str) -> int | None:
    value = row.detail.get(key)
    return value if isinstance(value, int) else None


def _words(row: Waiting, key: str) -> tuple[str, ...]:
    value = row.detail.get(key)
    return tuple(str(word) for word in value) if isinstance(value, list) else ()
