"""What the collector orders: the commands of docs/protocol.md as values, to XML and back.

Signing is in `signature.py`, what may be created in `creatable.py`.
"""

import re
from dataclasses import dataclass
from datetime import datetime

from lxml import etree

from hwcensus import document, schema
from hwcensus.envelope import FORMAT, child, read_attributes, write_attributes
from hwcensus.errors import InvalidDocument

#: Names of drivers that a device can be given to; a few have a blank or a slash, and get none.
DRIVER = re.compile(r"[A-Za-z0-9_-]{1,60}")
#: Before the type of an order that only its host is asked about.
CHECK = "check-"


@dataclass(frozen=True, kw_only=True)
class Command:
    """What a host is to do before `expires`, whoever wants it.

    `device` is the creation document of a create, `name` and `identity` the target of a destroy, detach or reattach,
    `driver` the one that a detach gives the device to.
    """

    id: str
    type: str
    expires: datetime
    require: str | None = None
    persistent: bool | None = None
    force: bool | None = None
    driver: str | None = None
    identity: str | None = None
    name: str | None = child(None)
    device: etree._Element | None = child(None)

    @property
    def meant(self) -> str:
        """The type of what is to be done, or asked about: `destroy` of `check-destroy` too."""
        return self.type.removeprefix(CHECK)

    @property
    def is_check(self) -> bool:
        """Whether it only asks what the host would answer."""
        return self.type.startswith(CHECK)


@dataclass(frozen=True, kw_only=True)
class IssuedCommand(Command):
    """One as it is signed and sent: by whom, to which host, and for the stream the host had when it was queued.

    `want` and `identities` are what a resync asks for.
    """

    host: str
    stream: str
    issued: datetime
    by: str
    want: str | None = None
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


def read_command(raw: bytes) -> IssuedCommand:
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
    creates = root.get("type") in ("create", f"{CHECK}create")
    return IssuedCommand(
        **read_attributes(root, IssuedCommand),
        device=device if creates else None,
        name=None if creates or device is None else device.findtext("name"),
        identities=tuple(str(d.get("identity")) for d in root.iterchildren("d")),
    )
