"""What the collector orders: the commands of docs/protocol.md as values, to XML and back.

Signing is in `signature.py`, what may be created in `creatable.py`.
"""

from dataclasses import dataclass
from datetime import datetime

from lxml import etree

from hwcensus import document, schema
from hwcensus.envelope import FORMAT, child, read_attributes, write_attributes
from hwcensus.errors import InvalidDocument


@dataclass(frozen=True, kw_only=True)
class Command:
    """One order to one host, valid until `expires`, for the stream the host had when it was queued.

    `device` is the creation document of a create, `name` and `identity` the target of a destroy, detach or reattach,
    `driver` the one that a detach gives the device to, `want` and `identities` what a resync asks for.
    """

    id: str
    host: str
    stream: str
    type: str
    issued: datetime
    expires: datetime
    by: str
    require: str | None = None
    persistent: bool | None = None
    force: bool | None = None
    driver: str | None = None
    want: str | None = None
    identity: str | None = None
    name: str | None = child(None)
    device: etree._Element | None = child(None)
    identities: tuple[str, ...] = child(())

    def to_bytes(self) -> bytes:
        """The exact bytes that are signed and sent."""
        root = etree.Element("command", format=FORMAT)
        write_attributes(root, self)
        if self.device is not None:
            root.append(self.device)
        elif self.name is not None:
            etree.SubElement(etree.SubElement(root, "device"), "name").text = self.name
        for identity in self.identities:
            etree.SubElement(root, "d", identity=identity)
        return document.to_bytes(root)


def read_command(raw: bytes) -> Command:
    """The command that a record's value holds. Raises InvalidDocument as `event.read_event` does."""
    root = document.parse(raw)
    if root.tag == "command" and root.get("format") != FORMAT:
        raise InvalidDocument(
            f"format {root.get('format')!r} is not {FORMAT!r}, the one we read", code="unknown-format"
        )
    schema.validate(root, "command")
    if root.tag != "command":
        raise InvalidDocument(f"<{root.tag}> is not a command", code="schema")
    device = root.find("device")
    create = root.get("type") == "create"
    return Command(
        **read_attributes(root, Command),
        device=device if create else None,
        name=None if create or device is None else device.findtext("name"),
        identities=tuple(str(d.get("identity")) for d in root.iterchildren("d")),
    )
