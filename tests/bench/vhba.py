"""`vhba`: from request to `succeeded` for a virtual Fibre Channel port in the lab's guest, beyond a shell loop there.

The loop writes into `vport_create` and waits for the kernel's uevent; the two take turns below the same adapter, each
beside the same agent. What is between them is ours: HTTP, SQL, signing, Kafka, the inbox, the census, and the way back.
"""

import tempfile
import time
from pathlib import Path
from statistics import median, quantiles

from hwcensus.broker import EMBEDDED_PARTITIONS
from hwcensus.client import Client, Host
from tests.bench.figure import Figure
from tests.fixtures.kafka import Kafka
from tests.lab import hardware
from tests.lab.console import Console
from tests.lab.guest import Guest
from tests.lab.image import image
from tests.lab.lab import Lab
from tests.lab.listener import Listener

ROUNDS = 30
OVERHEAD_MS = 150.0
PARENT, MADE = "scsi_host1", "scsi_host3"
WWPN, WWNN = "2001001b32d00000", "2000001b32d00000"
PINNED = "/run/pinned.keys"
IDENTITY = f"scsi/wwpn/{WWPN}"
VPORT = (
    f"<device><parent>{PARENT}</parent><capability type='scsihost'><capability type='fc'>"
    f"<address wwnn='{WWNN}' wwpn='{WWPN}'/></capability></capability></device>"
)
#: Says how many microseconds it took from the write until the kernel had told of the port. The monitor listens first.
LOOP = f"""\
coproc stdbuf --output=L udevadm monitor --kernel --subsystem-match=fc_host
hears() {{ while read -r line; do [[ $line != $1 ]] || return 0; done <&"${{COPROC[0]}}"; return 1; }}
hears 'KERNEL - *'
began=${{EPOCHREALTIME/./}}
echo {WWPN}:{WWNN} >/sys/class/fc_host/host1/vport_create
hears 'KERNEL* add *'
ended=${{EPOCHREALTIME/./}}
kill $COPROC_PID
echo $((ended - began))
"""
DELETE = f"echo {WWPN}:{WWNN} >/sys/class/fc_host/host1/vport_delete"


def vhba_figure() -> Figure:
    """p50 of ours less p50 of the loop ÷ the aim of 150 ms; both in the note."""
    words = [*hardware.slots(), *hardware.controllers()]
    with tempfile.TemporaryDirectory(prefix="hwcensus-lab-") as name:
        folder = Path(name)
        kafka = Kafka(folder / "kafka")
        kafka.start()
        topics = kafka.create_topics(events_partitions=EMBEDDED_PARTITIONS, commands_partitions=EMBEDDED_PARTITIONS)
        console = Console(folder / "centre", kafka.bootstrap, topics)
        try:
            with (
                console.start(),
                Guest(image(), folder, words, first=hardware.FIRST, forward=[kafka.port]) as guest,
                Listener(kafka.bootstrap, topics.events) as listener,
                Client(console.line.url) as client,
            ):
                _start_agent(guest, listener, console)
                host = client.host("lab")
                rounds = [(_ours(host, listener), _loop(guest, listener, console)) for _ in range(ROUNDS)]
        finally:
            kafka.stop()
    ours, loop = (list(times) for times in zip(*rounds, strict=True))
    overhead = median(ours) - median(loop)
    note = (
        f"beyond a shell loop, the aim as limit: request to succeeded p50 {median(ours):.0f} ms, "
        f"p90 {quantiles(ours, n=10)[-1]:.0f} ms; echo to uevent p50 {median(loop):.0f} ms; "
        f"{ROUNDS} each by turns, in one emulated guest"
    )
    ratio = overhead / OVERHEAD_MS
    return Figure(name="vhba", ours=overhead, limit=OVERHEAD_MS, ratio=ratio, unit="ms", note=note)


def _start_agent(guest: Guest, listener: Listener, console: Console) -> None:
    """With two adapters on a fabric, told, and in the inventory."""
    guest("fabric switch 0 1; fabric adapter 0; fabric adapter 1")
    line = console.line.agent
    kafka = {name: setting for name, setting in line.items() if name.startswith("HWCENSUS_KAFKA_")}
    # A real Kafka tells of a command at once, and keeps what the collector has not read; heartbeats are as rare as the
    # start can wait for one.
    own = {"HWCENSUS_PUBLISHER_HOLD_BACK_BYTES": "0", "HWCENSUS_PUBLISHER_HEARTBEAT_S": "5"}
    # As on a host, whose files are its own: to ask for one outside the guest takes three milliseconds.
    guest(f"cp {console.agent['HWCENSUS_COMMANDS_KEYS']} {PINNED}")
    own |= {"HWCENSUS_COMMANDS_KEYS": PINNED, "HWCENSUS_LOG_LEVEL": "INFO"}
    lab = Lab(guest, listener, line["HWCENSUS_KAFKA_BOOTSTRAP_SERVERS"], console.agent | kafka | own)
    lab.start_agent()
    lab.sees(PARENT, fc__port="Online")
    lab.begin()
    console.settle(listener)


def _ours(host: Host, listener: Listener) -> float:
    """Milliseconds until who waits for it is told that it has succeeded; then the port is taken away."""
    began = time.monotonic()
    command = host.create_device(VPORT).wait(timeout=60)
    took = (time.monotonic() - began) * 1000
    assert command.state == "succeeded", command.text
    listener.wait(lambda: MADE in listener.census, "the port is told")
    destroyed = host.lookup_by_name(IDENTITY).destroy().wait(timeout=60)
    assert destroyed.state == "succeeded", destroyed.text
    listener.wait(lambda: MADE not in listener.census, "it is gone")
    return took


def _loop(guest: Guest, listener: Listener, console: Console) -> float:
    """Milliseconds of the loop, which the agent only watches."""
    took = int(guest(LOOP)) / 1000
    listener.wait(lambda: MADE in listener.census, "the port is told")
    guest(DELETE)
    listener.wait(lambda: MADE not in listener.census, "it is gone")
    console.settle(listener)  # until then the next order of that WWPN is refused
    return took
