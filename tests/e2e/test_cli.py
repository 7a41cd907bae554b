"""`hwcensus` as a process against a real collector's API: what it writes, where, and how it ends."""

import csv
import io
import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime

import pytest
from lxml import etree
from sqlalchemy import update

from hwcensus.cli import main
from hwcensus.client import Client
from hwcensus.instant import now
from hwcensus_collector import tables
from hwcensus_collector.database import writing
from hwcensus_collector.relay.results import ResultStep, record_results
from tests.fixtures.process import Process, program_environment
from tests.wire.census_world import (
    BEGAN,
    World,
    after,
    bridge,
    computer,
    hba,
    lun,
    net,
    pci,
    served,
    vport,
    world,
)

EVIL = "=HYPERLINK(1)\u202e\u009b2J"
BRIDGE = "<device><capability type='net'><interface>{}</interface><capability type='bridge'/></capability></device>"

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def census(sqlite_url: str) -> Iterator[World]:
    with world(sqlite_url) as made:
        made.host("a1", "web17")
        for xml in (computer(), pci(vendor=EVIL), net("eth0", parent="pci_0000_00_1f_3"), bridge("hwc0")):
            made.tell("a1", xml, BEGAN)
        made.tell("a1", bridge("hwc0", stp="yes"), after(hours=1))
        yield made


@pytest.fixture
def url(census: World) -> Iterator[str]:
    with served(census.engine) as url:
        yield url


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "hwcensus.cli", *words]


@pytest.fixture
def hwcensus(url: str) -> Run:
    """Runs the command to its end."""

    def run(*words: str, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        env = program_environment(HWCENSUS_URL=url, **environment)
        return subprocess.run(
            command(*words), input=stdin, capture_output=True, text=True, env=env, timeout=60, check=False
        )

    return run


def test_hosts_in_every_format(hwcensus: Run) -> None:
    table = hwcensus("hosts")
    assert table.stdout.splitlines()[0].split()[:3] == ["NAME", "STATUS", "HEARD"]
    assert table.stdout.splitlines()[1].split()[:2] == ["web17", "online"]
    assert json.loads(hwcensus("hosts", "-o", "json").stdout)[0]["id"] == "a1"
    assert json.loads(hwcensus("hosts", "-o", "ndjson").stdout)["devices"] == 4
    (row,) = csv.DictReader(io.StringIO(hwcensus("hosts", "-o", "csv").stdout))
    assert (row["name"], row["devices"]) == ("web17", "4")
    assert etree.fromstring(hwcensus("hosts", "-o", "xml").stdout)[0].get("status") == "online"


READERS: dict[str, Callable[[str], object]] = {
    "json": json.loads,
    "ndjson": lambda text: [json.loads(line) for line in text.splitlines()],
    "csv": lambda text: list(csv.DictReader(io.StringIO(text))),
    "xml": lambda text: list(etree.fromstring(text.encode())),
}


@pytest.mark.parametrize(
    "words",
    [
        ["hosts"],
        ["list"],
        ["show", "web17", "net_hwc0"],
        ["tree", "web17"],
        ["history", "web17", "net_hwc0"],
        ["changes", "--since", "7d"],
        ["command", "list"],
        ["batch", "list"],
        ["vhba", "list"],
    ],
    ids=" ".join,
)
def test_what_a_program_reads_is_nothing_but_data(
    url: str, census: World, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Every verb in every format."""
    assert main(["destroy", "web17", "net_hwc0", "--yes", "--url", url]) == 0
    census.tell("a1", hba(), BEGAN)
    census.tell("a1", vport(), BEGAN)
    with Client(url) as client:
        client.create_on_many(BRIDGE.format("hwc7"), ["web17"])
    capsys.readouterr()
    for name, read in READERS.items():
        assert main([*words, "--url", url, "-o", name]) == 0, name
        told = capsys.readouterr()
        assert read(told.out), name
        assert told.err == "", name


def test_lists_are_narrowed_and_may_be_of_the_past(hwcensus: Run) -> None:
    assert [line.split()[0] for line in hwcensus("list", "--host", "web17").stdout.splitlines()[1:]] == [
        "computer", "net_eth0", "net_hwc0", "pci_0000_00_1f_3"
    ]  # fmt: skip
    by_cap = json.loads(hwcensus("list", "--cap", "bridge", "-o", "json").stdout)
    assert [one["name"] for one in by_cap] == ["net_hwc0"]
    then = hwcensus("list", "--at", after(minutes=30).isoformat(), "--cap", "bridge", "-o", "json")
    assert json.loads(then.stdout)[0]["facts"]["bridge.stp"] is False
    assert "not kept" in then.stderr
    nothing = hwcensus("list", "--host", "web17", "--bus", "usb")
    assert (nothing.returncode, nothing.stdout, nothing.stderr) == (0, "", "hwcensus: no devices\n")


def test_documents_come_as_they_are(hwcensus: Run) -> None:
    document = hwcensus("xml", "web17", "net_hwc0").stdout
    assert etree.fromstring(document).findtext("key") == "/sys/devices/virtual/net/hwc0"
    assert "<key>" not in hwcensus("xml", "web17", "net_hwc0", "--no-key").stdout
    assert "<state" not in hwcensus("xml", "web17", "net_hwc0", "--no-state").stdout
    assert "<stp>no</stp>" in hwcensus("xml", "web17", "net_hwc0", "--version", "4").stdout
    assert hwcensus("xml", "web17", "net_hwc0", "--version", "1").returncode == 3
    all_ = etree.fromstring(hwcensus("list", "-o", "xml").stdout)
    assert [host.get("name") for host in all_] == ["web17"]
    assert [device.findtext("name") for device in all_[0]] == ["computer", "net_eth0", "net_hwc0", "pci_0000_00_1f_3"]


def test_tree_show_history_and_changes(hwcensus: Run) -> None:
    tree = hwcensus("tree", "web17").stdout.splitlines()
    assert tree[0].startswith("computer  system")
    assert tree[1].startswith("├── net_hwc0  net bridge")
    assert tree[3].startswith("    └── net_eth0")
    shown = hwcensus("show", "web17", "net_hwc0").stdout
    assert ["bridge.stp", "yes"] in [line.split() for line in shown.splitlines()]
    kinds = [row["kind"] for row in json.loads(hwcensus("history", "web17", "net_hwc0", "-o", "json").stdout)]
    assert kinds == ["add", "change"]
    changes = json.loads(hwcensus("changes", "--since", "7d", "-o", "json").stdout)
    assert [one["feed"] for one in changes] == [1, 2, 3, 4, 5]
    assert hwcensus("changes", "--after", "4").stdout.splitlines()[1].split()[0] == "5"


@pytest.mark.parametrize(
    "words,code,what",
    [
        (["show", "web71", "x"], 3, "did you mean web17?"),
        (["show", "web17", "net_eth1"], 3, "did you mean net_eth0"),
        (["list", "--cap", "brige"], 2, "did you mean bridge"),
        (["list", "--at", "yesterday"], 2, "write 2026-03-01"),
        (["changes", "--since", "x"], 2, "is not a time"),
        (["command", "show", "nix"], 3, "`hwcensus command list` lists them"),
        (["create", "web17", "/nothing"], 2, "give a file"),
        (["create", "web17", "-"], 4, "nothing was changed"),
        (["destroy", "web17", "net_hwc0"], 4, "give --yes"),
        (["destroy", "web17", "net_eth1", "--yes"], 3, "did you mean"),
        (["hosts", "--url", "http://127.0.0.1:1"], 5, "hwcensus up"),
        (["hosts", "--url", "ftp://x"], 2, "write http://"),
        (["list", "--cap", "brige", "-o", "csv"], 2, "did you mean bridge"),
        (["list", "--cap", "brige", "-o", "xml"], 2, "did you mean bridge"),
        (["show", "web17", "x" * 70000], 2, "cannot be sent"),
        (["destroy", "web17", "net_hwc0", "--yes", "--idempotency-key", "ké"], 2, "cannot be sent"),
        (["destroy", "web17", "net_hwc0", "--yes", "--idempotency-key", "a\nb"], 2, "cannot be sent"),
        (["list", "--cap", "\udcff"], 2, "cannot be sent"),
    ],
)
def test_an_error_is_one_line_that_says_what_to_do(hwcensus: Run, words: list[str], code: int, what: str) -> None:
    done = hwcensus(*words, stdin="<device>")
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.startswith("hwcensus: ")
    assert done.stderr.count("\n") == 1
    assert what in done.stderr


def test_a_name_too_long_for_the_kernel_is_refused_before_it_is_sent(hwcensus: Run) -> None:
    done = hwcensus("create", "web17", "-", stdin=BRIDGE.format("hwc0123456789012"))
    assert (done.returncode, done.stdout) == (4, "")
    assert "at most 15" in done.stderr
    assert json.loads(hwcensus("command", "list", "-o", "json").stdout) == []


def test_hostile_names_steer_nothing(hwcensus: Run) -> None:
    for output in ("table", "json", "ndjson", "csv"):
        written = hwcensus("list", "--bus", "pci", "-o", output).stdout
        assert "\u202e" not in written, output
        assert "\x9b" not in written, output
    (row,) = csv.DictReader(io.StringIO(hwcensus("list", "--bus", "pci", "-o", "csv").stdout))
    assert row["about"].startswith("'=HYPERLINK")
    (told,) = json.loads(hwcensus("list", "--bus", "pci", "-o", "json").stdout)
    assert told["facts"]["pci.vendor_name"] == EVIL, "JSON loses nothing"


def test_a_user_whose_name_is_not_ascii_is_served(hwcensus: Run) -> None:
    assert hwcensus("hosts", LOGNAME="jürgen").returncode == 0


def test_a_terminal_gets_what_fits_it(url: str) -> None:
    """On a terminal of 60 columns no line is longer, and even a document's C1 controls do not get through."""
    for words in (["list", "--host", "web17"], ["tree", "web17"], ["xml", "web17", "pci_0000_00_1f_3"]):
        written = on_terminal(command(*words, "--url", url), columns=60)
        assert "pci_0000_00_1f_3" in written
        assert "\x9b2J" not in written
        if words[0] != "xml":
            plain = [colourless(line) for line in written.splitlines()]
            assert max(map(len, plain)) <= 60


def test_a_table_that_no_terminal_of_this_width_can_hold_is_shown_row_by_row(url: str) -> None:
    """No column is left out: at 80 characters as at 40, each change has its version, name and cause."""
    for columns in (80, 40):
        lines = on_terminal(command("changes", "--since", "7d", "--url", url), columns=columns).splitlines()
        written = "\n".join(map(colourless, lines))
        assert max(map(len, written.splitlines())) <= columns
        assert written.count("event") == 5
        assert written.count("pci_0000_00_1f_3") == 1
        assert written.lower().count("version") == (1 if columns == 80 else 5)


def colourless(line: str) -> str:
    """A line without the sequences that set colours."""
    return re.sub(r"\x1b\[[0-9;]*m", "", line)


def on_terminal(words: list[str], columns: int) -> str:
    """What a command writes to a terminal of its own."""
    ours, theirs = pty.openpty()
    env = program_environment(COLUMNS=str(columns), LINES="50", TERM="xterm")
    with subprocess.Popen(words, stdout=theirs, stderr=theirs, stdin=theirs, env=env) as process:
        os.close(theirs)
        written = b""
        try:
            while part := os.read(ours, 65536):
                written += part
        except OSError:  # the terminal is closed: the command has ended
            pass
        assert process.wait(60) == 0, written
    os.close(ours)
    return written.decode()


def test_a_reader_that_has_seen_enough_is_no_error(url: str, census: World) -> None:
    census.hosts({f"h{number:04}": f"host{number:04}" * 20 for number in range(300)})
    env = program_environment(HWCENSUS_URL=url)
    with subprocess.Popen(
        command("hosts", "-o", "csv"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env
    ) as ended:
        assert ended.stdout is not None
        assert ended.stderr is not None
        ended.stdout.readline()
        ended.stdout.close()
        assert ended.stderr.read() == b""
        ended.wait(60)


def test_watch_shows_changes_as_they_come_and_ends_quietly(url: str, census: World) -> None:
    with Process(command("watch", "--url", url, "-o", "ndjson", "--after", "5")) as watch:
        watch.wait_for("watching")
        census.tell("a1", bridge("hwc1"), now())
        told = json.loads(watch.wait_for('"feed"'))
        assert (told["name"], told["kind"], told["host_name"]) == ("net_hwc1", "add", "web17")


@pytest.mark.parametrize("state,code", [("succeeded", 0), ("failed", 4), ("expired", 5)])
def test_waiting_follows_a_command_to_its_end(url: str, census: World, state: str, code: int) -> None:
    env = program_environment(HWCENSUS_URL=url)
    words = command("create", "web17", "-", "--wait", "-o", "json")
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env
    ) as waiting:
        assert waiting.stdin is not None
        assert waiting.stderr is not None
        waiting.stdin.write(BRIDGE.format("hwc7"))
        waiting.stdin.close()
        assert waiting.stderr.readline() == "hwcensus: queued\n"
        with writing(census.engine) as connection:
            id_ = connection.execute(tables.command.select()).one().id
            connection.execute(update(tables.command).values(state="dispatched"))
            why = None if state == "succeeded" else "no-reason"
            record_results(connection, [ResultStep(command=id_, host="a1", state=state, at=now(), code=why)])
        output, errors = waiting.stdout.read() if waiting.stdout else "", waiting.stderr.read()
        assert waiting.wait(60) == code
    assert json.loads(output)["state"] == state
    assert errors.splitlines()[0].startswith(f"hwcensus: {state}")


def asked(url: str, *words: str, answer: bytes = b"n") -> tuple[int, str]:
    """What a command on a terminal of its own says until it asks, and its exit code after the answer."""
    ours, theirs = pty.openpty()
    env = program_environment(HWCENSUS_URL=url, COLUMNS="200")
    with subprocess.Popen(command(*words), stdin=theirs, stdout=theirs, stderr=theirs, env=env) as asking:
        os.close(theirs)
        written = b""
        while b"[y/N]" not in written:
            written += os.read(ours, 1024)
        os.write(ours, answer + b"\n")
        code = asking.wait(60)
    os.close(ours)
    return code, written.decode()


def ordered(census: World) -> list[str]:
    """The types of what was ordered."""
    with census.engine.connect() as connection:
        return [row.type for row in connection.execute(tables.command.select())]


def test_destroying_asks_a_person_first(url: str, census: World) -> None:
    """On a terminal it asks, and a no orders nothing."""
    code, written = asked(url, "destroy", "web17", "net_hwc0")
    assert (code, ordered(census)) == (4, [])
    assert "destroy net_hwc0 of web17? [y/N]" in written


def test_before_something_is_destroyed_all_below_it_is_shown(url: str, census: World) -> None:
    for name, parent, inner in (
        ("scsi_host5", "computer", '<capability type="scsihost"/>'),
        ("block_sda", "scsi_host5", block("ext4")),
        ("block_dm-0", "computer", block("xfs", "block_sda")),
    ):
        document = f"<device><name>{name}</name><key>/sys/{name}</key><parent>{parent}</parent>{inner}</device>"
        census.tell("a1", document, BEGAN)
    _, written = asked(url, "destroy", "web17", "scsi_host5")
    assert re.search(r"^hwcensus:   block_sda .*ext4", written, re.MULTILINE)
    assert re.search(r"^hwcensus:     block_dm-0 .*xfs", written, re.MULTILINE)
    assert "net_eth0" not in written


def block(filesystem: str, slave: str = "") -> str:
    inner = f"<slave>{slave}</slave>" if slave else ""
    return f'<capability type="block"><state filesystem="{filesystem}">{inner}</state></capability>'


def test_before_a_driver_lets_go_what_helps_to_decide_is_shown(url: str, census: World) -> None:
    state = "<state><member>pci_0000_00_1f_3</member><member>pci_0000_00_1f_4</member></state>"
    facts = f'<capability type="pci"><iommu_group>7</iommu_group><reset_methods>flr pm</reset_methods>{state}'
    census.tell("a1", pci().replace("</device>", f"{facts}</capability></device>"), after(hours=2))
    census.tell("a1", pci("pci_0000_00_1f_4"), after(hours=2))
    code, written = asked(url, "detach", "web17", "pci_0000_00_1f_3", "--driver", "pci-stub", answer=b"y")
    assert "IOMMU group 7, which goes as a whole: pci_0000_00_1f_3 (i801_smbus), pci_0000_00_1f_4 (i80" in written
    assert "reset: flr pm" in written
    assert "net_eth0" in written, "the interface below it"
    assert (code, ordered(census)) == (0, ["detach"])
    code, written = asked(url, "reattach", "web17", "pci_0000_00_1f_3")
    assert (code, ordered(census)) == (4, ["detach"])


def test_what_is_no_pci_or_usb_device_is_not_detached(hwcensus: Run) -> None:
    done = hwcensus("detach", "web17", "net_hwc0", "--yes")
    assert (done.returncode, "not-detachable" in done.stderr) == (4, True)


def test_a_creation_says_what_it_asks_for(hwcensus: Run) -> None:
    words = ("create", "web17", "-", "--force", "--valid", "60", "-o", "json")
    told = json.loads(hwcensus(*words, stdin=BRIDGE.format("hwc7")).stdout)
    expires, issued = (datetime.fromisoformat(told[name]) for name in ("expires", "issued"))
    assert (expires - issued).total_seconds() == 60
    refused = hwcensus("create", "web17", "-", "--require", "online", stdin=BRIDGE.format("hwc8"))
    assert (refused.returncode, "bad-require" in refused.stderr) == (2, True)


@pytest.fixture
def san(census: World) -> World:
    """A host with an adapter, a virtual port on it, and two LUNs behind that."""
    census.host("a2", "db7")
    online = hba().replace("</capability></capability>", '<state port="Online"/></capability></capability>')
    for xml in (computer(), online, vport(), lun(1), lun(2)):
        census.tell("a2", xml, BEGAN)
    with census.engine.begin() as connection:
        connection.execute(update(tables.host).where(tables.host.c.id == "a2").values(creatable=["vport"]))
    return census


def document_of(census: World) -> etree._Element:
    """The creation document that the last command carries."""
    with census.engine.connect() as connection:
        rows = connection.execute(tables.command.select().order_by(tables.command.c.number)).all()
    (device,) = etree.fromstring(rows[-1].body)
    return device


@pytest.mark.parametrize("parent", [["--parent", "21:00:00:e0:8b:93:18:a1"], ["--parent", "scsi_host5"], []])
def test_a_virtual_port_is_ordered_by_what_is_said_and_the_rest_is_filled_in(
    hwcensus: Run, san: World, parent: list[str]
) -> None:
    words = ("--wwpn", "0x50014380186B2A03", "--wwnn", "50:01:43:80:18:6b:2a:02", "--require", "online", "--persistent")
    done = hwcensus("vhba", "create", "db7", *parent, *words)
    assert done.returncode == 0, done.stderr
    device = document_of(san)
    address = device.find("capability/capability/address")
    assert device.findtext("parent") == "scsi_host5"
    assert address is not None
    assert (address.get("wwnn"), address.get("wwpn")) == ("50014380186b2a02", "50014380186b2a03")


@pytest.mark.parametrize(
    "words, exit_code, code",
    [
        (["--wwpn", "10"], 4, "bad-wwn"),
        (["--wwpn", "\x1b[31m"], 2, "usage"),
        (["--parent", "scsi_host5\x01"], 2, "usage"),
        (["--parent", "scsi_host9"], 3, "parent-unknown"),
        (["--fabric", "2000000000000001"], 4, "no-parent"),
        (["--pool", "nix"], 3, "pool-unknown"),
    ],
)
def test_a_virtual_port_that_cannot_be_is_refused(
    hwcensus: Run, san: World, words: list[str], exit_code: int, code: str
) -> None:
    done = hwcensus("vhba", "create", "db7", *words)
    assert (done.returncode, f"hwcensus: {code}: " in done.stderr) == (exit_code, True), done.stderr
    assert ordered(san) == []


def test_virtual_ports_are_listed_with_what_is_behind_them(hwcensus: Run, san: World) -> None:
    (told,) = json.loads(hwcensus("vhba", "list", "-o", "json").stdout)
    assert told == {
        "host": "db7", "name": "scsi_host7", "wwpn": "50014380186b2a01", "wwnn": "50014380186b2a00",
        "parent": "scsi_host5", "port": "Online", "vport": "Active", "persistent": False, "luns": 2,
    }  # fmt: skip
    assert "transient" in hwcensus("vhba", "list", "db7").stdout
    assert hwcensus("vhba", "list", "web17").stderr == "hwcensus: no vhbas\n"


def test_what_a_host_wants_and_has_not_is_listed_too(hwcensus: Run, san: World) -> None:
    wanted = "<wanted>50014380186b2a01</wanted><wanted>50014380186b2a05</wanted>"
    state = f'<state port="Online">{wanted}</state>'
    xml = hba().replace("</capability></capability>", f"{state}</capability></capability>")
    san.tell("a2", xml, after(hours=1), kind="state")
    here, absent = json.loads(hwcensus("vhba", "list", "db7", "-o", "json").stdout)
    assert (here["wwpn"], here["persistent"], here["vport"]) == ("50014380186b2a01", True, "Active")
    assert (absent["wwpn"], absent["persistent"], absent["vport"]) == ("50014380186b2a05", True, "absent")
    assert (absent["name"], absent["parent"]) == (None, "scsi_host5")
    assert "persistent" in hwcensus("vhba", "list").stdout
    assert hwcensus("vhba", "destroy", "db7", "50:01:43:80:18:6b:2a:05", "--yes").returncode == 0
    (told,) = json.loads(hwcensus("command", "list", "-o", "json").stdout)
    assert (told["type"], told["identity"], told["subject"]) == ("destroy", "scsi/wwpn/50014380186b2a05", "vport")


def test_a_virtual_port_is_destroyed_by_its_wwpn_or_name_after_its_luns_were_shown(
    url: str, hwcensus: Run, san: World
) -> None:
    code, written = asked(url, "vhba", "destroy", "db7", "50:01:43:80:18:6b:2a:01")
    assert (code, "scsi_7_0_0_2" in written, ordered(san)) == (4, True, [])
    assert hwcensus("vhba", "destroy", "db7", "scsi_host7", "--yes", "--force").returncode == 0
    assert ordered(san) == ["destroy"]
    unknown = hwcensus("vhba", "destroy", "db7", "50014380186b2aff", "--yes")
    assert (unknown.returncode, "it has 50014380186b2a01" in unknown.stderr) == (3, True)
    assert "physical-port" in hwcensus("vhba", "destroy", "db7", "scsi_host5", "--yes").stderr
    bridge = hwcensus("vhba", "destroy", "web17", "net_hwc0", "--yes")
    assert (bridge.returncode, "net_hwc0 of web17 is no virtual port but net, bridge" in bridge.stderr) == (3, True)
    assert ordered(san) == ["destroy"]


@pytest.mark.parametrize("port", ["50014380186b2a01", "scsi_host7"])
def test_a_destroy_that_is_repeated_with_its_key_has_its_answer_also_when_the_port_is_gone(
    hwcensus: Run, san: World, port: str
) -> None:
    san.remove("a2", "scsi_host7", BEGAN)
    san.tell("a2", vport(), BEGAN, identity="scsi/wwpn/50014380186b2a01")
    words = ("vhba", "destroy", "db7", port, "--yes", "--force", "-o", "json", "--idempotency-key")
    first = json.loads(hwcensus(*words, "k").stdout)
    san.remove("a2", "scsi_host7", after(hours=1))
    again = hwcensus(*words, "k")
    assert (again.returncode, json.loads(again.stdout)["id"]) == (0, first["id"])
    assert hwcensus(*words, "another").returncode == 4
    assert ordered(san) == ["destroy"]


@pytest.mark.parametrize(
    "words",
    [
        ("create", "web17", "-"),
        ("destroy", "web17", "net_hwc0", "--yes"),
        ("batch", "create", "-", "--host", "web17"),
    ],
)
def test_an_empty_idempotency_key_is_none(hwcensus: Run, census: World, words: tuple[str, ...]) -> None:
    done = hwcensus(*words, "--idempotency-key", "", stdin=BRIDGE.format("hwc7"))
    assert (done.returncode, "bad-idempotency-key" in done.stderr) == (2, True), done.stderr
    assert ordered(census) == []


@pytest.mark.parametrize(
    "words, exit_code, why",
    [
        (("create", "web17", "-"), 2, "stdin is closed"),
        (("batch", "create", "-", "--host", "web17"), 2, "stdin is closed"),
        (("destroy", "web17", "net_hwc0"), 4, "nobody can be asked"),
    ],
)
def test_with_stdin_closed_nothing_is_read_and_nobody_asked(
    url: str, census: World, words: tuple[str, ...], exit_code: int, why: str
) -> None:
    closed = ("sh", "-c", 'exec "$@" <&-', "sh")
    done = subprocess.run(
        [*closed, *command(*words)], capture_output=True, text=True, env=program_environment(HWCENSUS_URL=url),
        timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, why in done.stderr, done.stderr.count("\n")) == (exit_code, True, 1), done.stderr
    assert ordered(census) == []


def test_an_overdue_command_is_watched_until_its_late_end(url: str, hwcensus: Run, census: World) -> None:
    id_ = json.loads(hwcensus("destroy", "web17", "net_hwc0", "--yes", "-o", "json").stdout)["id"]
    with writing(census.engine) as connection:
        connection.execute(update(tables.command).values(state="dispatched", expires=now()))
    watch = command("command", "watch", id_)
    with subprocess.Popen(
        watch, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=program_environment(HWCENSUS_URL=url)
    ) as watching:
        assert watching.stderr is not None
        assert (
            watching.stderr.readline() == f"hwcensus: past its deadline; `hwcensus command abandon {id_}` gives it up\n"
        )
        assert watching.stderr.readline() == "hwcensus: queued\n"
        with writing(census.engine) as connection:
            record_results(connection, [ResultStep(command=id_, host="a1", state="succeeded", at=now())])
        assert watching.wait(60) == 0


def test_help_on_force_says_what_is_forced(hwcensus: Run) -> None:
    assert "WWPN that rests" in hwcensus("vhba", "create", "--help").stdout
    assert "the way to the collector" in hwcensus("create", "--help").stdout


def test_a_batch_is_followed_to_its_end(url: str, census: World) -> None:
    census.host("a2", "web18")
    words = command(
        "batch", "create", "-", "--host", "web17", "--host", "web18", "--at-once", "1", "--wait", "-o", "json"
    )
    env = program_environment(HWCENSUS_URL=url)
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env
    ) as waiting:
        assert waiting.stdin is not None
        assert waiting.stderr is not None
        waiting.stdin.write(BRIDGE.format("hwc7"))
        waiting.stdin.close()
        assert waiting.stderr.readline() == "hwcensus: 2 queued\n"
        with writing(census.engine) as connection:
            connection.execute(update(tables.command).values(state="dispatched"))
            for row in connection.execute(tables.command.select()).all():
                state = "succeeded" if row.host == "a1" else "failed"
                record_results(connection, [ResultStep(command=row.id, host=row.host, state=state, at=now())])
        output, errors = waiting.stdout.read() if waiting.stdout else "", waiting.stderr.read()
        assert waiting.wait(60) == 4
    assert json.loads(output)["states"] == {"failed": 1, "succeeded": 1}
    assert "batch-failed: 1 failed, 1 succeeded, 0 refused" in errors


def test_a_batch_is_shown_with_its_commands_and_taken_back(hwcensus: Run, census: World) -> None:
    census.host("a2", "web18", creatable=[])
    made = hwcensus("batch", "create", "-", "--status", "online", "-o", "json", stdin=BRIDGE.format("hwc7"))
    assert "a2 refused (not-creatable-here" in made.stderr
    id_ = json.loads(made.stdout)["id"]
    shown = hwcensus("batch", "show", id_).stdout
    assert "1 queued" in shown
    assert "web17" in shown
    other = json.loads(hwcensus("destroy", "web17", "net_hwc0", "--yes", "-o", "json").stdout)["id"]
    (listed,) = json.loads(hwcensus("command", "list", "--batch", id_, "-o", "json").stdout)
    assert (listed["batch"], listed["id"] == other) == (id_, False)
    cancelled = hwcensus("batch", "cancel", id_, "--reason", "wrong rack")
    assert (cancelled.returncode, "1 cancelled" in cancelled.stdout, "wrong rack" in cancelled.stdout) == (
        0,
        True,
        True,
    )
    assert hwcensus("batch", "watch", id_).returncode == 4
    assert hwcensus("batch", "show", "nix").returncode == 3


def test_commands_are_listed_and_cancelled(hwcensus: Run) -> None:
    made = json.loads(hwcensus("destroy", "web17", "net_hwc0", "--yes", "-o", "json").stdout)
    assert json.loads(hwcensus("command", "list", "--state", "queued", "-o", "json").stdout)[0]["id"] == made["id"]
    assert json.loads(hwcensus("command", "list", "--overdue", "--type", "destroy", "-o", "json").stdout) == []
    assert "wrong one" in hwcensus("command", "cancel", made["id"], "--reason", "wrong one").stdout
    again = hwcensus("command", "cancel", made["id"])
    assert again.returncode == 4
    watched = hwcensus("command", "watch", made["id"])
    assert (watched.returncode, "destroy cancelled" in watched.stderr) == (4, True)
