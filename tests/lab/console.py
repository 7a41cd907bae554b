"""The centre, outside the guest: a real collector on the lab's broker, and the operator's command against it.

console("hosts")                                      # status, output and errors of `hwcensus hosts`
console.orders("destroy", "lab", "net_hwc0", "--yes")   # the command at its end, as the API tells it
"""

import io
import json
import os
import sys
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from hwcensus import document
from hwcensus.cli.main import main
from hwcensus.client import Client
from hwcensus.client.command import ENDED
from tests.fixtures.kafka import Topics
from tests.fixtures.line import Line, wait_until
from tests.fixtures.process import Process
from tests.lab.listener import Known, Listener

HOST = "1ab01ab0-0000-4000-8000-000000000001"  # the guest's system UUID
TOPICS = Topics("events", "commands")
SECONDS = 120.0
#: Enough for the embedded broker, and the sign by which an agent knows it: then commands come at once.
HOLD_BACK_BYTES = 2 << 20


@dataclass(frozen=True, kw_only=True)
class Said:
    """What one call of the operator's command gave."""

    status: int
    out: str
    err: str


class Console:
    """One collector with its inventory, and the person before it."""

    def __init__(self, folder: Path, bootstrap: str, topics: Topics = TOPICS) -> None:
        """`folder`, in the guest's /lab, is for its database and its keys."""
        self.line = Line(folder, bootstrap, topics, f"sqlite:///{folder / 'inventory.sqlite'}", HOST)
        self.line.collector["HWCENSUS_INGEST_STATIC"] = "yes"
        self.line.collector["HWCENSUS_COMMANDS_OUI"] = "525400"  # of the WWNs that it makes
        self.kafka_port = int(bootstrap.rpartition(":")[2])
        #: Settings of an agent in the guest that obeys it.
        self.agent = {
            "HWCENSUS_KAFKA_GROUP": self.line.collector["HWCENSUS_KAFKA_GROUP"],
            "HWCENSUS_PUBLISHER_HOLD_BACK_BYTES": str(HOLD_BACK_BYTES),
            "HWCENSUS_COMMANDS_KEYS": f"/lab/{folder.name}/signing-key.pub",
            "HWCENSUS_COMMANDS_POLICY": "/lab/policy.toml",
        }

    def start(self) -> Process:
        """The collector, when it answers."""
        return self.line.start_collector()

    def __call__(self, *words: str, given: str = "") -> Said:
        """`hwcensus WORD…` with `given` on its stdin, in this process: its status and what it said."""
        out, err, stdin = (io.TextIOWrapper(io.BytesIO(raw)) for raw in (b"", b"", given.encode()))
        environment = patch.dict(os.environ, {"HWCENSUS_URL": self.line.url, "COLUMNS": "160"})
        with environment, patch.object(sys, "stdin", stdin), redirect_stdout(out), redirect_stderr(err):
            status = main(words)
        return Said(status=status, out=_text(out), err=_text(err))

    def tells(self, *words: str) -> Any:
        """What a command that must succeed gives as JSON."""
        said = self(*words, "-o", "json")
        assert said.status == 0, said.err
        return json.loads(said.out)

    def orders(self, *words: str, given: str = "", to: str = "succeeded", code: str | None = None) -> dict[str, Any]:
        """Orders something, waits for its end (past its deadline if need be), which must be this one; the command."""
        said = self(*words, "-o", "json", given=given)
        assert said.status == 0, f"refused at the door: {said.err}"
        with Client(self.line.url) as client:
            command = client.command(json.loads(said.out)["id"]).wait(timeout=SECONDS)
        assert (command.state, command.code) == (to, code), command.steps
        return dict(command.told)

    def settle(self, listener: Listener) -> None:
        """Waits until nothing is on its way and the inventory holds what was told, states too."""

        def holds() -> bool:
            held = self.line.documents()
            listener.catch_up()  # a state may change at any time
            return held == _documents(listener.census)

        wait_until(holds, "the inventory has what was told", seconds=SECONDS)
        commands = self.tells("command", "list", "--host", HOST)
        assert [one["id"] for one in commands if one["state"] not in ENDED] == []


def _documents(census: Mapping[str, Known]) -> dict[str, tuple[bytes, bytes]]:
    told = {name: document.take_apart(document.parse(known.xml)) for name, known in census.items()}
    return {name: (one.digest, one.state_hash) for name, one in told.items()}


def _text(stream: io.TextIOWrapper) -> str:
    stream.flush()
    assert isinstance(stream.buffer, io.BytesIO)
    return stream.buffer.getvalue().decode()
