"""`hwcensus vhba`: virtual ports ordered, listed and taken away."""

import json

import pytest
from lxml import etree

from hwcensus_collector import tables
from tests.e2e.cli_world import Run, asked, ordered, valid_for
from tests.wire.census_world import BEGAN, World, after, hba, vport


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


def test_what_a_host_wants_and_has_not_is_listed_too(url: str, hwcensus: Run, san: World) -> None:
    wanted = "<wanted>50014380186b2a01</wanted><wanted>50014380186b2a05</wanted>"
    state = f'<state port="Online">{wanted}</state>'
    xml = hba().replace("</capability></capability>", f"{state}</capability></capability>")
    san.tell("a2", xml, after(hours=1), kind="state")
    here, absent = json.loads(hwcensus("vhba", "list", "db7", "-o", "json").stdout)
    assert (here["wwpn"], here["persistent"], here["vport"]) == ("50014380186b2a01", True, "Active")
    assert (absent["wwpn"], absent["persistent"], absent["vport"]) == ("50014380186b2a05", True, "absent")
    assert (absent["name"], absent["parent"]) == (None, "scsi_host5")
    assert "persistent" in hwcensus("vhba", "list").stdout
    unwant = ("vhba", "destroy", "db7", "50:01:43:80:18:6b:2a:05")
    code, written = asked(url, *unwant)
    assert (code, ordered(san), "no longer make it at boot? [y/N]" in written) == (4, ["check-destroy"], True)
    assert hwcensus(*unwant, "--yes", "--valid", "60").returncode == 0
    told, _ = json.loads(hwcensus("command", "list", "-o", "json").stdout)
    assert valid_for(told) == 60
    assert (told["type"], told["identity"], told["subject"]) == ("destroy", "scsi/wwpn/50014380186b2a05", "vport")


def test_a_virtual_port_is_destroyed_by_its_wwpn_or_name_after_its_luns_were_shown(
    url: str, hwcensus: Run, san: World
) -> None:
    code, written = asked(url, "vhba", "destroy", "db7", "50:01:43:80:18:6b:2a:01")
    assert (code, "scsi_7_0_0_2" in written, ordered(san)) == (4, True, ["check-destroy"])
    done = hwcensus("vhba", "destroy", "db7", "scsi_host7", "--yes", "--force", "--valid", "60", "-o", "json")
    assert valid_for(json.loads(done.stdout)) == 60
    assert ordered(san) == ["check-destroy", "destroy"]
    unknown = hwcensus("vhba", "destroy", "db7", "50014380186b2aff", "--yes")
    assert (unknown.returncode, "it has 50014380186b2a01" in unknown.stderr) == (3, True)
    assert "physical-port" in hwcensus("vhba", "destroy", "db7", "scsi_host5", "--yes").stderr
    bridge = hwcensus("vhba", "destroy", "web17", "net_hwc0", "--yes")
    assert (bridge.returncode, "net_hwc0 of web17 is no virtual port but net, bridge" in bridge.stderr) == (3, True)
    assert ordered(san) == ["check-destroy", "destroy"]


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
