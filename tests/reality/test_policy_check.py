"""`hwcensus-agent policy check` as a process: it answers as the agent's runner would, and does nothing."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from hwcensus import document
from hwcensus.command import IssuedCommand
from hwcensus.instant import now
from hwcensus.signature import Signer
from hwcensus_agent.desired import Desired, Wish
from tests.fixtures.process import program_environment
from tests.reality.npiv_kernel import NpivKernel
from tests.reality.test_vport_executor import ADAPTER, WWNN, WWPN, create, destroy

BRIDGE = '<device><capability type="net"><interface>{}</interface><capability type="bridge"/></capability></device>'
OF_LO = """<device><capability type="net"><interface>hwcpolicy0</interface><capability type="bridge"/>
<state><port>net_lo</port></state></capability></device>"""
VPORT = """<device><parent{}>scsi_host5</parent><capability type="scsi_host"><capability type="fc_host">
<wwnn>20000000c9831b9e</wwnn><wwpn>5001438001234567</wwpn></capability></capability></device>"""
POLICY = """
[[allow]]
class = "bridge"
actions = ["create", "destroy"]
names = ["hwc*", "lo"]
"""


@pytest.fixture(autouse=True)
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "policy.toml"
    path.write_text(POLICY)
    return path


def check(
    tmp_path: Path, *words: str, given: str = "", sysroot: str | Path = "/sys"
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "hwcensus_agent.main", "policy", "check"]
    settings = {
        "HWCENSUS_HOST": "host-1",
        "HWCENSUS_COMMANDS_POLICY": str(tmp_path / "policy.toml"),
        "HWCENSUS_COMMANDS_KEYS": str(tmp_path / "key.pub"),
        "HWCENSUS_SPOOL_PATH": str(tmp_path / "spool.db"),
        "HWCENSUS_CENSUS_SYSROOT": str(sysroot),
    }
    return subprocess.run(
        [*command, *words],
        check=False,
        input=given,
        capture_output=True,
        text=True,
        env=program_environment(**settings),
        timeout=60,
    )


def test_with_stdin_closed_there_is_no_document(tmp_path: Path) -> None:
    closed = ("sh", "-c", 'exec "$@" <&-', "sh", sys.executable, "-m", "hwcensus_agent.main", "policy", "check", "-")
    settings = {"HWCENSUS_HOST": "host-1", "HWCENSUS_COMMANDS_POLICY": str(tmp_path / "policy.toml")}
    done = subprocess.run(
        closed, check=False, capture_output=True, text=True, env=program_environment(**settings), timeout=60
    )
    assert (done.returncode, done.stderr) == (2, "hwcensus-agent: usage: -: stdin is closed; give a file\n")


def test_what_is_allowed_is_told_by_which_rule_and_what_is_known_only_later(tmp_path: Path) -> None:
    signer = Signer.load_or_make(tmp_path / "key")
    done = check(tmp_path, "-", given=BRIDGE.format("hwcpolicy0"))
    assert done.returncode == 0, done.stderr
    assert f"allowed  to create bridge hwcpolicy0, by {tmp_path}/policy.toml: allow 1: names hwc*, lo" in done.stdout
    assert f"later    signed by a key of {tmp_path}/key.pub: {signer.key_id}" in done.stdout
    assert not Path("/sys/class/net/hwcpolicy0").exists()


def test_what_a_bridge_would_be_made_of_is_asked_too(tmp_path: Path, policy: Path) -> None:
    refused = check(tmp_path, "--force", "-", given=OF_LO)
    assert refused.returncode == 4
    assert refused.stderr.startswith("hwcensus-agent: not-allowed: ")
    assert "lets bridge create only names hwc*, lo of no ports, not hwcpolicy0 of lo" in refused.stderr
    policy.write_text(f'{POLICY}ports = ["l?"]\n')
    done = check(tmp_path, "--force", "-", given=OF_LO)  # lo may be the way to Kafka
    assert done.returncode == 0, done.stderr
    assert f"to create bridge hwcpolicy0 of lo, by {policy}: allow 1: names hwc*, lo of ports l?\n" in done.stdout


def test_that_no_key_is_pinned_is_told(tmp_path: Path) -> None:
    assert "no-keys" in check(tmp_path, "-", given=BRIDGE.format("hwcpolicy0")).stdout


@pytest.mark.parametrize(
    "given, code, said",
    [
        (BRIDGE.format("br0"), "not-allowed", "names hwc*, lo of no ports, not br0"),
        (BRIDGE.format("lo"), "name-taken", "lo"),
        (OF_LO.replace("net_lo", "net_hwcnone0"), "interface-unknown", "net_hwcnone0"),
        (BRIDGE.format("hwc-that-is-far-too-long"), "name-too-long", "15"),
        ("<device/>", "no-capability", "capability"),
        ("<device", "not-xml", ""),
    ],
)
def test_what_would_be_refused_has_the_code_and_text_of_the_answer(
    tmp_path: Path, given: str, code: str, said: str
) -> None:
    done = check(tmp_path, "-", given=given)
    assert done.returncode != 0
    assert done.stderr.startswith(f"hwcensus-agent: {code}: ")
    assert said in done.stderr


@pytest.mark.parametrize(
    "words, code",
    [
        (["--destroy", "net_lo"], "not-allowed"),
        (["--detach", "net_lo"], "not-detachable"),
        (["--destroy", "net_hwcnone0"], "unknown-device"),
        (["no-such-file"], "no-file"),
    ],
)
def test_devices_of_this_host_are_asked_about_by_name(tmp_path: Path, words: list[str], code: str) -> None:
    done = check(tmp_path, *words)
    assert done.returncode in (3, 4)
    assert done.stderr.startswith(f"hwcensus-agent: {code}: ")


def test_a_policy_is_tried_before_it_is_in_force(tmp_path: Path) -> None:
    other = tmp_path / "other.toml"
    other.write_text(POLICY.replace("hwc*", "br*"))
    assert check(tmp_path, "--policy", str(other), "-", given=BRIDGE.format("br77")).returncode == 0
    assert check(tmp_path, "--policy", str(other), "-", given=BRIDGE.format("hwc0")).returncode == 4
    other.write_text("[[alow]]")
    assert check(tmp_path, "--policy", str(other), "-", given=BRIDGE.format("br77")).returncode == 2


def test_a_command_is_asked_about_with_whom_and_when_it_is_for(tmp_path: Path) -> None:
    command = IssuedCommand(
        id="c1", host="host-1", stream="s1", type="create", issued=now(), expires=now() + timedelta(hours=1), by="al",
        device=document.parse(BRIDGE.format("hwcpolicy0").encode()),
    )  # fmt: skip
    done = check(tmp_path, "-", given=command.to_bytes().decode())
    assert done.returncode == 0, done.stderr
    assert "stream s1" in done.stdout
    for changed, code in [
        (replace(command, host="host-2"), "wrong-host"),
        (replace(command, expires=now() - timedelta(seconds=1)), "expired"),
    ]:
        refused = check(tmp_path, "-", given=changed.to_bytes().decode())
        assert refused.returncode == 4
        assert f": {code}: " in refused.stderr


def test_a_vport_that_leaves_its_names_or_its_parent_to_the_centre_cannot_be_judged(tmp_path: Path) -> None:
    done = check(tmp_path, "-", given=VPORT.format(""))
    assert done.returncode == 2
    assert "incomplete" in done.stderr
    assert "<parent" in done.stderr


@pytest.fixture
def kernel(tmp_path: Path, policy: Path) -> Iterator[NpivKernel]:
    policy.write_text("[[allow]]\nclass = 'vport'\nactions = ['create', 'destroy']\n")
    made = NpivKernel(tmp_path / "sys")
    made.adapter("host5", ADAPTER)
    yield made
    made.close()


def asked(tmp_path: Path, kernel: NpivKernel, command: IssuedCommand) -> subprocess.CompletedProcess[str]:
    return check(tmp_path, "-", given=command.to_bytes().decode(), sysroot=kernel.root)


def test_a_port_that_is_to_be_made_at_every_boot_is_asked_about_as_the_runner_does(
    tmp_path: Path, kernel: NpivKernel
) -> None:
    done = asked(tmp_path, kernel, replace(create(), persistent=True))
    assert done.returncode == 0, done.stderr
    assert f"allowed  to create vport {WWPN} under {ADAPTER}" in done.stdout
    assert not (tmp_path / "desired.json").exists()


def test_of_an_interface_that_is_to_be_made_at_every_boot_it_is_told_that_it_is_not(tmp_path: Path) -> None:
    command = replace(create(), persistent=True, device=document.parse(BRIDGE.format("hwcpolicy0").encode()))
    done = check(tmp_path, "-", given=command.to_bytes().decode())
    assert done.returncode == 4
    assert done.stderr.startswith("hwcensus-agent: not-persistent: ")


def test_a_port_that_is_wanted_and_absent_may_be_destroyed_and_stays_wanted_until_it_is(
    tmp_path: Path, kernel: NpivKernel, policy: Path
) -> None:
    assert "device-changed" in asked(tmp_path, kernel, destroy()).stderr
    wanted = Desired(tmp_path / "desired.json", "host-1")
    wanted.add(Wish(parent=ADAPTER, wwpn=WWPN, wwnn=WWNN, command="c1"))
    done = asked(tmp_path, kernel, destroy())
    assert done.returncode == 0, done.stderr
    assert f"allowed  to destroy vport {WWPN} under {ADAPTER}" in done.stdout
    assert list(Desired(tmp_path / "desired.json", "host-1")) == list(wanted)
    policy.write_text("")
    assert "not-allowed" in asked(tmp_path, kernel, destroy()).stderr


def test_a_file_of_wishes_that_cannot_be_read_is_left_where_it_is(tmp_path: Path, kernel: NpivKernel) -> None:
    (tmp_path / "desired.json").write_text("{")
    done = asked(tmp_path, kernel, replace(create(), persistent=True))
    assert done.returncode == 0, done.stderr
    assert "what this host wants cannot be read" in done.stderr
    assert [path.name for path in tmp_path.glob("desired*")] == ["desired.json"]
