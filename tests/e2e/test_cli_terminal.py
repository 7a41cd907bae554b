"""`hwcensus` on a terminal: what fits it, and what a person is asked and shown before anything is ordered."""

import re
import subprocess
from pathlib import Path

import pytest
from sqlalchemy import update

from hwcensus_collector import tables
from tests.e2e.cli_world import asked, colourless, command, on_terminal, ordered
from tests.fixtures.process import program_environment
from tests.wire.census_world import BEGAN, World, after, net, pci


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


def test_destroying_asks_a_person_first(url: str, census: World) -> None:
    """On a terminal it asks, and a no orders nothing, but that its host was asked too."""
    code, written = asked(url, "destroy", "web17", "net_hwc0")
    assert (code, ordered(census)) == (4, ["check-destroy"])
    assert "its host did not say within 5 s who uses it" in written
    assert "destroy net_hwc0 of web17? [y/N]" in written


def test_a_host_that_is_not_online_is_not_asked_who_uses_a_device(url: str, census: World) -> None:
    census.heard({"a1"}, BEGAN)
    code, written = asked(url, "destroy", "web17", "net_hwc0")
    assert (code, ordered(census)) == (4, [])
    assert "its host is offline: who uses it is not known" in written


def block(filesystem: str, slave: str = "") -> str:
    inner = f"<slave>{slave}</slave>" if slave else ""
    return f'<capability type="block"><state filesystem="{filesystem}">{inner}</state></capability>'


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


def test_before_a_driver_lets_go_what_helps_to_decide_is_shown(url: str, census: World) -> None:
    state = "<state><member>pci_0000_00_1f_3</member><member>pci_0000_00_1f_4</member></state>"
    facts = f'<capability type="pci"><iommu_group>7</iommu_group><reset_methods>flr pm</reset_methods>{state}'
    census.tell("a1", pci().replace("</device>", f"{facts}</capability></device>"), after(hours=2))
    census.tell("a1", pci("pci_0000_00_1f_4"), after(hours=2))
    code, written = asked(url, "detach", "web17", "pci_0000_00_1f_3", "--driver", "pci-stub", answer=b"y")
    assert "IOMMU group 7, which goes as a whole: pci_0000_00_1f_3 (i801_smbus), pci_0000_00_1f_4 (i80" in written
    assert "reset: flr pm" in written
    assert "net_eth0" in written, "the interface below it"
    assert (code, ordered(census)) == (0, ["check-detach", "detach"])
    code, written = asked(url, "reattach", "web17", "pci_0000_00_1f_3")
    assert (code, ordered(census)) == (4, ["check-detach", "detach", "check-reattach"])


CARD = "pci_0000_05_00_0"
FUNCTIONS = '<device><parent>{}</parent><capability type="pci"><state virt_functions="{}"/></capability></device>'


@pytest.fixture
def card(census: World) -> str:
    """One with two virtual functions, an interface below the first; the name of its host. virt4 has one without any.
    Both hosts are offline, or they would be asked."""
    first, second = "pci_0000_05_10_0", "pci_0000_05_10_1"
    both = f"<virt_function>{first}</virt_function><virt_function>{second}</virt_function>"
    census.hosts({"a2": "virt3", "a3": "virt4"})
    for name, inner in (
        (CARD, f'<virt_functions max="8"/><state virt_functions="2">{both}</state>'),
        (first, f"<phys_function>{CARD}</phys_function>"),
        (second, f"<phys_function>{CARD}</phys_function>"),
    ):
        capability = f'<capability type="pci">{inner}</capability></device>'
        census.tell("a2", pci(name).replace("</device>", capability), BEGAN)
    for name, parent in (("vf0", first), ("pf0", CARD)):
        census.tell("a2", net(name, parent=parent), BEGAN)
    census.tell("a3", pci(CARD), BEGAN)
    with census.engine.begin() as connection:
        connection.execute(update(tables.host).values(creatable=["virt_functions"]))
    census.heard({"a2", "a3"}, BEGAN)
    return "virt3"


@pytest.mark.parametrize("number", [0, 1])
def test_before_a_creation_takes_virtual_functions_away_they_are_shown_with_what_is_below(
    url: str, census: World, card: str, tmp_path: Path, number: int
) -> None:
    document = tmp_path / "functions.xml"
    document.write_text(FUNCTIONS.format(CARD, number))
    code, written = asked(url, "create", card, str(document))
    assert (code, ordered(census)) == (4, [])
    assert f"{card} is offline: who uses it is not known" in written
    assert f"{card} loses its 2 virtual functions" in written
    assert re.search(r"^hwcensus:   pci_0000_05_10_0 .*\n.*^hwcensus:     net_vf0 ", written, re.MULTILINE | re.DOTALL)
    assert re.search(r"^hwcensus:   pci_0000_05_10_1 ", written, re.MULTILINE)
    assert "net_pf0" not in written, "it stays"
    assert f"set the virtual functions of {CARD} of {card} to {number}? [y/N]" in written
    code, written = asked(url, "create", card, str(document), answer=b"y")
    assert code == 0, written
    assert ordered(census) == ["create"]


def test_a_batch_that_takes_virtual_functions_away_asks_once(
    url: str, census: World, card: str, tmp_path: Path
) -> None:
    document = tmp_path / "functions.xml"
    document.write_text(FUNCTIONS.format(CARD, 0))
    named = ("--host", card, "--host", "virt4")
    code, written = asked(url, "batch", "create", str(document), *named)
    assert (code, ordered(census), written.count("[y/N]")) == (4, [], 1)
    assert f"set the virtual functions of {CARD} of virt3, virt4 to 0? [y/N]" in written
    assert "net_vf0" in written
    _, written = asked(url, "batch", "create", str(document), "--status", "online", "--cap", "pci")
    assert f"of {CARD} of all hosts that are online and that have pci to 0? [y/N]" in written
    document.write_text(FUNCTIONS.format(CARD, 1))
    code, written = asked(url, "batch", "create", str(document), "--cap", "pci")
    assert (code, ordered(census)) == (4, []), "which hosts these are, and what they lose, is not known here"
    assert f"of {CARD} of all hosts that have pci to 1? [y/N]" in written
    code, written = asked(url, "batch", "create", str(document), *named, answer=b"y")
    assert code == 0, written
    assert ordered(census) == ["create", "create"]


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


def test_a_host_named_twice_in_a_batch_is_shown_and_ordered_of_once(
    url: str, census: World, card: str, tmp_path: Path
) -> None:
    """By its name and by its id."""
    document = tmp_path / "functions.xml"
    document.write_text(FUNCTIONS.format(CARD, 1))
    code, written = asked(url, "batch", "create", str(document), "--host", card, "--host", "a2", answer=b"y")
    assert written.count(f"{card} loses its 2 virtual functions") == 1
    assert f"set the virtual functions of {CARD} of {card} to 1? [y/N]" in written
    assert (code, ordered(census)) == (0, ["create"])


@pytest.mark.parametrize("which", [(), ("--host", "web17", "--status", "online"), ("--host", "web17", "--cap", "")])
def test_a_batch_for_no_hosts_or_for_those_named_and_others_is_refused_before_anybody_is_asked(
    url: str, census: World, tmp_path: Path, which: tuple[str, ...]
) -> None:
    document = tmp_path / "functions.xml"
    document.write_text(FUNCTIONS.format(CARD, 0))
    words = command("batch", "create", str(document), *which, "--url", url)
    written = on_terminal(words, columns=200, code=2)
    assert written.startswith("hwcensus: bad-batch: name hosts, or say which by status or cap")
    assert (written.count("\n"), ordered(census)) == (1, [])


@pytest.mark.parametrize("number", [("--at-once", "0"), ("--stop-after", "1001")])
def test_a_number_that_no_batch_has_is_refused_before_anybody_is_asked(
    url: str, census: World, tmp_path: Path, number: tuple[str, str]
) -> None:
    document = tmp_path / "functions.xml"
    document.write_text(FUNCTIONS.format(CARD, 0))
    words = command("batch", "create", str(document), "--host", "web17", *number, "--url", url)
    written = on_terminal(words, columns=200, code=2)
    assert written.startswith(f"hwcensus: bad-batch: {number[0]} is 1 to 1000, not {number[1]}")
    assert (written.count("\n"), ordered(census)) == (1, [])
