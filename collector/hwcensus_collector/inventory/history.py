"""A device's life: its versions, and the document of each."""

from sqlalchemy import Connection, select

from hwcensus_collector.inventory.cursor import Page, Window, page_of, question_mark, read_cursor
from hwcensus_collector.inventory.lookup import device_ids, unknown_device
from hwcensus_collector.inventory.refusal import Unknown
from hwcensus_collector.inventory.version import Version, to_version, version_rows
from hwcensus_collector.tables import device_version, document


def history_of(connection: Connection, host_id: str, wanted: str, window: Window) -> Page[Version]:
    """The versions of the device of that name or identity, the first one first.

    Raises Unknown (`unknown-device`), BadParameter for the cursor.
    """
    ids = device_ids(connection, host_id, wanted)
    if not ids:
        raise unknown_device(connection, host_id, wanted)
    mark = question_mark("history", ids[0])
    after = read_cursor(window.cursor, mark, (int,))
    query = version_rows().where(device_version.c.device == ids[0]).order_by(device_version.c.feed)
    if after is not None:
        query = query.where(device_version.c.feed > after[0])
    found = [to_version(row) for row in connection.execute(query.limit(window.limit + 1))]
    return page_of(found, window.limit, mark, lambda one: (one.feed,))


def document_of(connection: Connection, digest: str) -> bytes:
    """The canonical document with this digest (64 hex digits), without key and state.

    Raises Unknown (`unknown-document`).
    """
    try:
        raw = bytes.fromhex(digest)
    except ValueError:
        raw = b""
    body = connection.execute(select(document.c.body).where(document.c.digest == raw)).scalar_one_or_none()
    if body is None:
        raise Unknown(f"there is no document {digest[:64]!r}; digests have 64 hex digits", code="unknown-document")
    return bytes(body)
