"""`hwcensus create`, `destroy`, `detach`, `command` and `batch`: what is ordered, and following it to its end."""

import json
import os
import subprocess
from pathlib import Path

import pytest
from sqlalchemy import update

from hwcensus.instant import now
from hwcensus_collector import tables
from hwcensus_collector.database import writing
from hwcensus_collector.relay.results import ResultStep, record_results
from tests.e2e.cli_world import BRIDGE, Run, command, ordered, valid_for
from tests.fixtures.process import program_environment
from tests.wire.census_world import World


@pytest.mark.parametrize(
    "words",
    [
        ("create", "web17", "-", "--force"),
        ("destroy", "web17", "net_hwc0", "--yes"),
        ("detach", "web17", "pci_0000_00_1f_3", "--yes"),
        ("reattach", "web17", "pci_0000_00_1f_3", "--yes"),
    ],
)
def test_an_order_says_how_long_it_may_wait_for_the_host(hwcensus: Run, words: tuple[str, ...]) -> None:
    done = hwcensus(*words, "--valid", "60", "-o", "json", stdin=BRIDGE.format("hwc7"))
    assert valid_for(json.loads(done.stdout)) == 60
    assert "bad-deadline" in hwcensus(*words, "--valid", "0", stdin=BRIDGE.format("hwc7")).stderr


def test_what_only_ports_can_be_is_not_asked_of_others(hwcensus: Run) -> None:
    refused = hwcensus("create", "web17", "-", "--require", "online", stdin=BRIDGE.format("hwc8"))
    assert (refused.returncode, "bad-require" in refused.stderr) == (2, True)


def test_virtual_functions_are_taken_away_only_with_a_yes(hwcensus: Run, census: World) -> None:
    """Whatever the inventory knows of them; more of them take nothing away, and neither does what is refused."""
    census.host("a1", "web17", creatable=["virt_functions"])
    document = '<device><parent>{}</parent><capability type="pci"><state virt_functions="{}"/></capability></device>'
    card = "pci_0000_00_1f_3"
    for words in (("create", "web17", "-"), ("batch", "create", "-", "--host", "web17")):
        refused = hwcensus(*words, stdin=document.format(card, 0))
        assert (refused.returncode, refused.stderr.startswith("hwcensus: not-confirmed: ")) == (4, True)
        assert hwcensus(*words, "--yes", stdin=document.format(card, 0)).returncode == 0
        assert hwcensus(*words, stdin=document.format(card, 4)).returncode == 0
    assert ordered(census) == ["create"] * 4
    unknown = hwcensus("create", "web17", "-", stdin=document.format("pci_0000_00_1f_9", 4))
    assert (unknown.returncode, "pci_0000_00_1f_9" in unknown.stderr) == (3, True)
    assert "bad-vf-count" in hwcensus("create", "web17", "-", stdin=document.format(card, 65536)).stderr


def test_a_name_too_long_for_the_kernel_is_refused_before_it_is_sent(hwcensus: Run) -> None:
    done = hwcensus("create", "web17", "-", stdin=BRIDGE.format("hwc0123456789012"))
    assert (done.returncode, done.stdout) == (4, "")
    assert "at most 15" in done.stderr
    assert json.loads(hwcensus("command", "list", "-o", "json").stdout) == []


def test_the_name_of_a_document_may_be_any_bytes(hwcensus: Run, census: World, tmp_path: Path) -> None:
    document = tmp_path / os.fsdecode(b"\xff.xml")
    missing = hwcensus("create", "web17", str(document))
    assert (missing.returncode, missing.stderr.count("\n"), "\\udcff.xml: No such file" in missing.stderr) == (
        2,
        1,
        True,
    )
    document.write_text(BRIDGE.format("hwc7"))
    assert hwcensus("create", "web17", str(document)).returncode == 0
    assert hwcensus("batch", "create", str(document), "--host", "web17").returncode == 0
    assert ordered(census) == ["create"] * 2


def test_what_is_no_pci_or_usb_device_is_not_detached(hwcensus: Run) -> None:
    done = hwcensus("detach", "web17", "net_hwc0", "--yes")
    assert (done.returncode, "not-detachable" in done.stderr) == (4, True)


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


def test_commands_are_listed_and_cancelled(hwcensus: Run) -> None:
    made = json.loads(hwcensus("destroy", "web17", "net_hwc0", "--yes", "-o", "json").stdout)
    assert json.loads(hwcensus("command", "list", "--state", "queued", "-o", "json").stdout)[0]["id"] == made["id"]
    assert json.loads(hwcensus("command", "list", "--overdue", "--type", "destroy", "-o", "json").stdout) == []
    assert "wrong one" in hwcensus("command", "cancel", made["id"], "--reason", "wrong one").stdout
    again = hwcensus("command", "cancel", made["id"])
    assert again.returncode == 4
    watched = hwcensus("command", "watch", made["id"])
    assert (watched.returncode, "destroy cancelled" in watched.stderr) == (4, True)


def test_an_order_is_given_up_past_its_deadline_and_not_before(hwcensus: Run, census: World) -> None:
    id_ = json.loads(hwcensus("destroy", "web17", "net_hwc0", "--yes", "-o", "json").stdout)["id"]
    for state, code in (("queued", "not-sent"), ("dispatched", "too-early")):
        with writing(census.engine) as connection:
            connection.execute(update(tables.command).values(state=state))
        refused = hwcensus("command", "abandon", id_, "--reason", "burnt down")
        assert (refused.returncode, refused.stdout) == (4, "")
        assert refused.stderr.startswith(f"hwcensus: {code}: ")
    with writing(census.engine) as connection:
        connection.execute(update(tables.command).values(expires=now()))
    assert "burnt down" in hwcensus("command", "abandon", id_, "--reason", "burnt down").stdout
    *_, last = json.loads(hwcensus("command", "show", id_, "-o", "json").stdout)["steps"]
    assert (last["state"], last["text"]) == ("abandoned", "burnt down")
    again = hwcensus("command", "abandon", id_)
    assert (again.returncode, again.stderr.startswith("hwcensus: too-late: ")) == (4, True)
    watched = hwcensus("command", "watch", id_)
    assert (watched.returncode, "hwcensus: abandoned (burnt down)\n" in watched.stderr) == (4, True)


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


def test_help_on_force_says_what_is_forced(hwcensus: Run) -> None:
    assert "WWPN that rests" in hwcensus("vhba", "create", "--help").stdout
    assert "the way to the collector" in hwcensus("create", "--help").stdout
