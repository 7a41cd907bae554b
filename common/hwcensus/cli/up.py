"""`hwcensus up`: embedded broker, SQLite, collector and agent of this machine under one command and one Ctrl-C.

For trying out and for tests: the broker keeps nothing when it stops (the census heals), groups and append times are
Apache Kafka's alone. It starts the two programs as child processes and imports neither.
"""

import argparse
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

from hwcensus.broker import EMBEDDED_PARTITIONS, EmbeddedBroker
from hwcensus.cli.child import Child, child
from hwcensus.cli.sole import require_free, sole
from hwcensus.client import Client
from hwcensus.errors import HwcensusError, NotFound, Unreachable, UsageError
from hwcensus.instant import now

READY_WITHIN_S = 60.0
#: The embedded broker drops the oldest of a partition beyond about 5 MB; see hwcensus_agent.holdback.
HOLD_BACK_BYTES = 2 * 1024 * 1024

POLICY = """\
# What may be created and destroyed on this host; written by `hwcensus up`, change it as you like.
[[allow]]
class = "bridge"
actions = ["create", "destroy"]
names = ["hwc*"]

[[allow]]
class = "vport"
actions = ["create", "destroy"]
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dir", default=str(default_folder()), help="where inventory, spool, keys and logs live")
    parser.add_argument("--listen", default="127.0.0.1:8470", help="address of the HTTP API (loopback only)")
    parser.add_argument("--name", default=socket.gethostname(), help="name of this host in the census")


def default_folder() -> Path:
    """Where a user's programs keep their state (XDG Base Directory specification)."""
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "hwcensus"


def run(arguments: argparse.Namespace) -> int:
    """Runs until Ctrl-C or SIGTERM. Raises HwcensusError where a part does not come up, with the end of its log."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    folder = _folder(Path(arguments.dir))
    with ExitStack() as parts:
        parts.enter_context(sole(folder))
        require_free(arguments.listen)
        _write_policy(folder / "policy.toml")
        broker = parts.enter_context(EmbeddedBroker(folder / "broker"))
        settings = _kafka(broker.address) | _collector_settings(folder, arguments)
        _check(settings, "hwcensus_collector.main", "db", "upgrade")
        collector = parts.enter_context(child("collector", settings, folder, "hwcensus_collector.main", "run"))
        url = f"http://{arguments.listen}"
        _wait(lambda: _answers(url), [collector], stop, "the collector does not answer")
        began = now()
        settings = _kafka(broker.address) | _agent_settings(folder, arguments)
        agent = parts.enter_context(child("agent", settings, folder, "hwcensus_agent.main", "run"))
        children = [collector, agent]
        _wait(lambda: _is_heard(url, arguments.name, began), children, stop, "the agent is not heard")
        if not stop.is_set():
            _say_ready(folder, url)
        _watch(children, stop)
        _say("stopping")
    return 0


def _folder(path: Path) -> Path:
    """The folder, made where it is missing. Raises UsageError where we may not write."""
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise UsageError(f"--dir {path}: {error.strerror}; give a folder that you may write to") from error
    if not os.access(path, os.W_OK | os.X_OK):
        raise UsageError(f"--dir {path}: Permission denied; give a folder that you may write to")
    return path.absolute()


def _kafka(address: str) -> dict[str, str]:
    """The address of the broker, as environment: it is in no command line."""
    return dict(os.environ) | {"HWCENSUS_KAFKA_BOOTSTRAP_SERVERS": address}


def _collector_settings(folder: Path, arguments: argparse.Namespace) -> dict[str, str]:
    return {
        "HWCENSUS_DATABASE_URL": f"sqlite:///{folder / 'inventory.db'}",
        "HWCENSUS_INGEST_STATIC": "yes",
        "HWCENSUS_API_LISTEN": arguments.listen,
        "HWCENSUS_COMMANDS_KEY_FILE": str(folder / "signing-key"),
    }


def _agent_settings(folder: Path, arguments: argparse.Namespace) -> dict[str, str]:
    return {
        "HWCENSUS_NAME": arguments.name,
        **_made_up_id(folder),
        "HWCENSUS_RUNTIME": str(folder / "run"),
        "HWCENSUS_SPOOL_PATH": str(folder / "spool.db"),
        "HWCENSUS_PUBLISHER_HOLD_BACK_BYTES": str(HOLD_BACK_BYTES),
        "HWCENSUS_COMMANDS_KEYS": str(folder / "signing-key.pub"),
        "HWCENSUS_COMMANDS_POLICY": str(folder / "policy.toml"),
    }


def _made_up_id(folder: Path) -> dict[str, str]:
    """An id for a host that has none that we may read (a bare container): made once, kept with the state."""
    sources = (Path("/sys/class/dmi/id/product_uuid"), Path("/etc/machine-id"))
    if any(os.access(source, os.R_OK) and source.stat().st_size for source in sources):
        return {}
    kept = folder / "host-id"
    if not kept.exists():
        kept.write_text(f"{uuid.uuid4()}\n")
    return {"HWCENSUS_HOST": kept.read_text().strip()}


def _check(settings: dict[str, str], module: str, *words: str) -> None:
    done = subprocess.run([sys.executable, "-m", module, *words], env=settings, capture_output=True, check=False)
    if done.returncode != 0:
        raise HwcensusError(f"{' '.join(words)} failed: {done.stderr.decode(errors='replace').strip()}")


def _wait(met: Callable[[], bool], children: list[Child], stop: threading.Event, what: str) -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    while not stop.wait(0.1):
        for one in children:
            one.check()
        if met():
            return
        if time.monotonic() > deadline:
            raise Unreachable(f"{what} within {READY_WITHIN_S:.0f} s; see {children[-1].log}")


def _watch(children: list[Child], stop: threading.Event) -> None:
    while not stop.wait(0.5):
        for one in children:
            one.check()


def _answers(url: str) -> bool:
    try:
        with Client(url) as client:
            client.health()
    except Unreachable:
        return False
    return True


def _is_heard(url: str, name: str, since: datetime) -> bool:
    """Whether this agent, not one that ran here before, has told its devices."""
    try:
        with Client(url) as client:
            host = client.host(name)
            return host.heard_at is not None and host.heard_at >= since and host.num_of_devices() > 0
    except (NotFound, Unreachable):
        return False


def _write_policy(path: Path) -> None:
    if not path.exists():
        path.write_text(POLICY)


def _say_ready(folder: Path, url: str) -> None:
    _say(f"ready: {url}, state and logs in {folder}")
    _say(f"for trying out: the broker ({EMBEDDED_PARTITIONS} partitions) is in memory and forgets when this stops;")
    _say("for a data centre see README, “Running it for real”. Ctrl-C stops everything.")
    if os.geteuid() != 0:
        _say("as root it would also read serial numbers and the system UUID, and could create and destroy devices")


def _say(text: str) -> None:
    print(f"hwcensus up: {text}", file=sys.stderr, flush=True)
