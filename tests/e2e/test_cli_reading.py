"""What `hwcensus` writes of the census, in every format, and how it says no."""

import csv
import io
import json
import subprocess
from collections.abc import Callable

import pytest
from lxml import etree

from hwcensus.cli import main
from hwcensus.cli.visible import visible
from hwcensus.client import Client
from hwcensus.instant import now
from hwcensus_collector.relay.results import ResultStep, record_results
from hwcensus_collector.relay.retire import retire
from tests.e2e.cli_world import BRIDGE, EVIL, Run, command
from tests.fixtures.process import Process, program_environment
from tests.wire.census_world import BEGAN, World, after, bridge, hba, vport

READERS: dict[str, Callable[[str], object]] = {
    "json": json.loads,
    "ndjson": lambda text: [json.loads(line) for line in text.splitlines()],
    "csv": lambda text: list(csv.DictReader(io.StringIO(text))),
    "xml": lambda text: list(etree.fromstring(text.encode())),
}


def test_hosts_in_every_format(hwcensus: Run) -> None:
    table = hwcensus("hosts")
    assert table.stdout.splitlines()[0].split()[:3] == ["NAME", "STATUS", "HEARD"]
    assert table.stdout.splitlines()[1].split()[:2] == ["web17", "online"]
    assert json.loads(hwcensus("hosts", "-o", "json").stdout)[0]["id"] == "a1"
    assert json.loads(hwcensus("hosts", "-o", "ndjson").stdout)["devices"] == 4
    (row,) = csv.DictReader(io.StringIO(hwcensus("hosts", "-o", "csv").stdout))
    assert (row["name"], row["devices"]) == ("web17", "4")
    assert etree.fromstring(hwcensus("hosts", "-o", "xml").stdout)[0].get("status") == "online"


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
        ["audit"],
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
        (["audit", "--action", "host.retyre"], 2, "did you mean host.retire"),
        (["list", "--cap", "brige", "-o", "csv"], 2, "did you mean bridge"),
        (["list", "--cap", "brige", "-o", "xml"], 2, "did you mean bridge"),
        (["show", "web17", "x" * 70000], 2, "cannot be sent"),
        (["destroy", "web17", "net_hwc0", "--yes", "--idempotency-key", "ké"], 2, "cannot be sent"),
        (["destroy", "web17", "net_hwc0", "--yes", "--idempotency-key", "a\nb"], 2, "cannot be sent"),
        (["list", "--cap", "\udcff"], 2, "is no text"),
    ],
)
def test_an_error_is_one_line_that_says_what_to_do(hwcensus: Run, words: list[str], code: int, what: str) -> None:
    done = hwcensus(*words, stdin="<device>")
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.startswith("hwcensus: ")
    assert done.stderr.count("\n") == 1
    assert what in done.stderr


def test_hostile_names_steer_nothing(hwcensus: Run) -> None:
    for output in ("table", "json", "ndjson", "csv"):
        written = hwcensus("list", "--bus", "pci", "-o", output).stdout
        assert "\u202e" not in written, output
        assert "\x9b" not in written, output
    (row,) = csv.DictReader(io.StringIO(hwcensus("list", "--bus", "pci", "-o", "csv").stdout))
    assert row["about"].startswith("'=HYPERLINK")
    (told,) = json.loads(hwcensus("list", "--bus", "pci", "-o", "json").stdout)
    assert told["facts"]["pci.vendor_name"] == EVIL, "JSON loses nothing"


def test_the_audit_says_who_did_what_and_nothing_in_it_steers_anything(hwcensus: Run, census: World) -> None:
    """What an agent says of a command that was forged is a stranger's text."""
    ordered = hwcensus("destroy", "web17", "net_hwc0", "--yes", "-o", "json", LOGNAME="alice")
    queued = json.loads(ordered.stdout)["id"]
    forged = ResultStep(command="forged", host="a1", state="failed", at=now(), code="unknown-key", text=EVIL)
    with census.engine.begin() as connection:
        record_results(connection, [forged])
        retire(connection, "web17")
    table = hwcensus("audit").stdout.splitlines()
    assert table[0].split() == ["WHEN", "ACTOR", "DOOR", "ACTION", "SUBJECT", "DETAIL"]
    assert [line.split()[4] for line in table[1:]] == ["host.retire", "command.refused", "command.queued"]
    assert table[2].split()[2:] == [
        "a1", "agent", "command.refused", "forged", "host=a1", "state=failed", "code=unknown-key",
        f"text={visible(EVIL)}",
    ]  # fmt: skip
    assert [line.split()[5] for line in hwcensus("audit", "--actor", "local:alice").stdout.splitlines()[1:]] == [queued]
    assert [line.split()[4] for line in hwcensus("audit", "--actor", "web17").stdout.splitlines()[1:]] == [
        "command.refused"
    ]
    for output, read in READERS.items():
        written = hwcensus("audit", "--action", "command.", "--since", "7d", "-o", output).stdout
        assert "\u202e" not in written, output
        assert "\x9b" not in written, output
        assert len(read(written)) == 2, output  # type: ignore[arg-type]
    (told,) = json.loads(hwcensus("audit", "--subject", "forged", "-o", "json").stdout)
    assert told["detail"] == {"host": "a1", "state": "failed", "code": "unknown-key", "text": EVIL}, (
        "JSON loses nothing"
    )
    (row,) = csv.DictReader(io.StringIO(hwcensus("audit", "--subject", "web17", "-o", "csv").stdout))
    assert (row["action"], row["subject"], json.loads(row["detail"])) == ("host.retire", "a1", {"name": "web17"})
    nothing = hwcensus("audit", "--until", "1h")
    assert (nothing.returncode, nothing.stdout, nothing.stderr) == (0, "", "hwcensus: no deeds\n")


def test_a_user_whose_name_is_not_ascii_is_served(hwcensus: Run) -> None:
    assert hwcensus("hosts", LOGNAME="jürgen").returncode == 0


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
    with Process(command("watch", "--url", url, "-o", "ndjson")) as watch:
        watch.wait_for("watching")
        census.tell("a1", bridge("hwc1"), now())
        told = json.loads(watch.wait_for('"feed"'))
        assert (told["name"], told["kind"], told["host_name"]) == ("net_hwc1", "add", "web17")
