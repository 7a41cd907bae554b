"""QEMU's monitor: commands to the machine the guest runs on, and the events it tells (QEMU's docs/interop/qmp-spec)."""

import json
import socket
import time
from pathlib import Path
from typing import Any, Self

SECONDS = 60.0  # pciehp lets five pass before it lets a card go


class Refused(AssertionError):
    """The monitor answered with an error."""


class Qmp:
    """One connection to a monitor."""

    def __init__(self, path: Path) -> None:
        """Waits until QEMU listens there."""
        self._socket = connect(path)
        self._stream = self._socket.makefile("rw", encoding="utf-8")
        self._events: list[dict[str, Any]] = []
        self._line()  # its greeting
        self("qmp_capabilities")

    def __call__(self, command: str, **arguments: object) -> Any:
        """The command's answer. Raises Refused."""
        json.dump({"execute": command, "arguments": arguments}, self._stream)
        self._stream.write("\n")
        self._stream.flush()
        while "event" in (answer := self._line()):
            self._events.append(answer)
        if "error" in answer:
            raise Refused(f"{command}: {answer['error']['desc']}")
        return answer["return"]

    def plug(self, driver: str, id: str, **properties: object) -> None:
        """A device into a running machine."""
        self("device_add", driver=driver, id=id, **properties)

    def drive(self, name: str, size: int) -> None:
        """A medium of zeros, in bytes, for a disk to be plugged in."""
        self("blockdev-add", **{"driver": "null-co", "node-name": name, "size": size, "read-zeroes": True})

    def unplug(self, device: str, *, drive: str | None = None) -> None:
        """Takes a device away, and returns when the guest has let it go; with its drive, where it had one."""
        self("device_del", id=device)
        self.event("DEVICE_DELETED", device=device)
        if drive is not None:
            self("blockdev-del", **{"node-name": drive})

    def event(self, name: str, **data: object) -> None:
        """Waits for an event with such data."""
        while True:
            for event in self._events:
                if event["event"] == name and data.items() <= event.get("data", {}).items():
                    self._events.remove(event)
                    return
            self._events.append(self._line())

    def close(self) -> None:
        self._stream.close()
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _line(self) -> dict[str, Any]:
        line = self._stream.readline()
        if not line:
            raise EOFError("QEMU closed its monitor")
        found: dict[str, Any] = json.loads(line)
        return found


def connect(path: Path, *, seconds: float = SECONDS) -> socket.socket:
    """A connection to a socket that QEMU is about to make."""
    deadline = time.monotonic() + seconds
    while True:
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError):
            connection.close()
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
            continue
        connection.settimeout(seconds)
        return connection
