"""`hwcensus-agent policy check` as a process: it answers as the agent's runner would, and does nothing."""

import os
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
from tests.unit.sysfs_tree import Tree

BRIDGE = '<device><capability type="net"><interface>{}</interface><capability type="bridge"/></capability></device>'
OF_LO = """<device><capability type="net"><interface>hwcpolicy0</interface><capability type="bridge"/>
<state><port>net_lo</port></state></capability></device>"""
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


def test_the_names_of_files_may_be_any_bytes(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"\xff")
    folder.mkdir()
    (folder / "bridge.xml").write_text(BRIDGE.format("hwcpolicy0"))
    (folder / "policy.toml").write_text(POLICY)
    (folder / "agent.toml").write_text("[census]\n")
    files = ("--policy", str(folder / "policy.toml"), "--config", str(folder / "agent.toml"))
    done = check(tmp_path, str(folder / "bridge.xml"), *files)
    assert done.returncode == 0, done.stderr
    assert f"allowed  to create bridge hwcpolicy0, by {tmp_path}/\\udcff/policy.toml: allow 1" in done.stdout


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


def test_what_a_document_names_steers_no_terminal(tmp_path: Path, policy: Path) -> None:
    policy.write_text("[[allow]]\nclass = 'bridge'\nactions = ['create']\nnames = ['*']\nports = ['*']\n")
    done = check(tmp_path, "-", given=OF_LO.replace("net_lo", "net_&#x9b;2J"))
    assert (done.returncode, r"no interface net_\x9b2J here" in done.stderr) == (4, True), done.stderr


@pytest.fixture
def kernel(tmp_path: Path, policy: Path) -> Iterator[NpivKernel]:
    policy.write_text("[[allow]]\nclass = 'vport'\nactions = ['create', 'destroy']\n")
    made = NpivKernel(tmp_path / "sys")
    made.adapter("host5", ADAPTER)
    yield made
    made.close()


PORT = "<device>{}<capability type='scsi_host'><capability type='fc_host'>{}</capability></capability></device>"
NAMES = f"<wwnn>{WWNN}</wwnn><wwpn>{WWPN}</wwpn>"
OTHER = "210000e08b9318a2"
#: Rules for one adapter, for WWPNs that begin so, and for all.
UNDER_ONE = f"[[allow]]\nclass = 'vport'\nactions = ['create']\nparents = ['{ADAPTER}']\n"
OF_SOME = "[[allow]]\nclass = 'vport'\nactions = ['create']\nwwpns = ['50:01:43:80']\n"


def ask(tmp_path: Path, kernel: NpivKernel, parent: str, names: str = NAMES) -> subprocess.CompletedProcess[str]:
    return check(tmp_path, "-", given=PORT.format(parent, names), sysroot=kernel.root)


@pytest.mark.parametrize(
    "parent",
    [
        f"<parent wwpn='{ADAPTER}'/>",
        "<parent wwpn='21:00:00:e0:8b:93:18:a1' wwnn='100000e08b9318a1'/>",
        f"<parent wwpn='{ADAPTER}'>scsi_host5</parent>",
        "<parent>scsi_host5</parent>",
    ],
)
def test_an_adapter_is_asked_about_however_it_is_named(
    tmp_path: Path, kernel: NpivKernel, policy: Path, parent: str
) -> None:
    policy.write_text(UNDER_ONE)
    done = ask(tmp_path, kernel, parent)
    assert done.returncode == 0, done.stderr
    assert f"allowed  to create vport {WWPN} under {ADAPTER}, by {policy}: allow 1: " in done.stdout
    assert "open " not in done.stdout
    policy.write_text(UNDER_ONE.replace(ADAPTER, OTHER))
    done = ask(tmp_path, kernel, parent)
    assert done.returncode == 4
    assert done.stderr.startswith("hwcensus-agent: not-allowed: ")
    assert f"not {WWPN} under {ADAPTER}\n" in done.stderr


@pytest.mark.parametrize(
    "parent, exit_code, code",
    [
        (f"<parent wwpn='{OTHER}'/>", 3, "parent-unknown"),
        ("<parent>scsi_host9</parent>", 3, "parent-unknown"),
        (f"<parent wwpn='{OTHER}'>scsi_host5</parent>", 4, "device-changed"),
        (f"<parent fabric_wwn='{OTHER}'/>", 4, "no-parent"),
    ],
)
def test_an_adapter_that_is_not_here_has_the_code_of_the_answer(
    tmp_path: Path, kernel: NpivKernel, parent: str, exit_code: int, code: str
) -> None:
    done = ask(tmp_path, kernel, parent)
    assert (done.returncode, done.stderr.partition(": ")[2].partition(": ")[0]) == (exit_code, code)
    assert ADAPTER in done.stderr or "scsi_host" in done.stderr


def test_of_a_wwpn_that_the_centre_gives_it_is_told_which_would_be_allowed(
    tmp_path: Path, kernel: NpivKernel, policy: Path
) -> None:
    by_wwpn = f"<parent wwpn='{ADAPTER}'/>"
    done = ask(tmp_path, kernel, by_wwpn, "")
    assert done.returncode == 0, done.stderr
    assert "open     its wwpn, which the centre gives\n" in done.stdout
    assert f"allowed  to create vport (WWPN of the centre's choice) under {ADAPTER}" in done.stdout
    policy.write_text(OF_SOME)
    done = ask(tmp_path, kernel, by_wwpn, "")
    assert (done.returncode, done.stderr) == (6, "")
    assert "allowed " not in done.stdout
    assert f"under {ADAPTER}, by {policy}: allow 1: WWPNs 50014380* under parents *\n" in done.stdout
    assert "depends  to create vport" in done.stdout
    assert "now      what the centre chooses decides\n" in done.stdout
    policy.write_text(OF_SOME + UNDER_ONE)
    assert ask(tmp_path, kernel, by_wwpn, "").returncode == 0, "by the second, whatever the WWPN is"
    policy.write_text(UNDER_ONE.replace(ADAPTER, OTHER))
    done = ask(tmp_path, kernel, by_wwpn, "")
    assert (done.returncode, "not (WWPN of the centre's choice) under" in done.stderr) == (4, True)


def test_a_node_name_that_the_centre_gives_decides_nothing(tmp_path: Path, kernel: NpivKernel, policy: Path) -> None:
    policy.write_text(OF_SOME)
    named = f"<wwpn>{WWPN}</wwpn>", "<wwpn>5001438012345678</wwpn>"
    assert [ask(tmp_path, kernel, f"<parent wwpn='{ADAPTER}'/>", one).returncode for one in named] == [4, 0]


@pytest.mark.parametrize("parent", ["", "<parent fabric_wwn='1000c0ffee0000fa'/>"])
def test_an_adapter_that_the_centre_chooses_is_asked_for_each_that_it_may_be(
    tmp_path: Path, kernel: NpivKernel, policy: Path, parent: str
) -> None:
    kernel.adapter("host6", OTHER)
    kernel.adapter("host7", "210000e08b9318a3", state="Linkdown")
    kernel.adapter("host8", "210000e08b9318a4", room=0)
    for host in ("host5", "host6"):
        (kernel.root / f"class/fc_host/{host}/fabric_name").write_text("0x1000c0ffee0000fa\n")
    done = ask(tmp_path, kernel, parent)
    assert done.returncode == 0, done.stderr
    assert f"open     its adapter, of which the centre takes the least used: scsi_host5 ({ADAPTER}), " in done.stdout
    assert [f"{WWPN} under {wwpn}, by" in done.stdout for wwpn in (ADAPTER, OTHER)] == [True, True]
    assert "host7" not in done.stdout
    assert "host8" not in done.stdout
    policy.write_text(UNDER_ONE)
    done = ask(tmp_path, kernel, parent)
    assert (done.returncode, done.stderr) == (6, "")
    assert f"allowed  to create vport {WWPN} under {ADAPTER}, by {policy}: allow 1" in done.stdout
    assert "refused  not-allowed: " in done.stdout
    assert f"not {WWPN} under {OTHER}\n" in done.stdout
    policy.write_text("")
    done = ask(tmp_path, kernel, parent)
    assert (done.returncode, done.stderr.startswith("hwcensus-agent: not-allowed: ")) == (4, True)


def test_what_no_adapter_can_take_is_told_with_what_is_wrong_with_each(tmp_path: Path, kernel: NpivKernel) -> None:
    kernel.adapter("host6", OTHER, state="Linkdown")
    kernel.adapter("host7", "210000e08b9318a3", room=2, inuse=2)
    kernel.adapter("host8", "210000e08b9318a4", room=0)
    done = ask(tmp_path, kernel, "<parent fabric_wwn='1000c0ffee0000fa'/>")
    assert (done.returncode, done.stderr.startswith("hwcensus-agent: no-parent: ")) == (4, True)
    for reason in ("scsi_host5 is in no fabric", "is not online, its port state is Linkdown"):
        assert reason in done.stderr
    assert "has 2 virtual ports of 2" in done.stderr
    assert "takes no virtual ports (NPIV)" in done.stderr


def test_who_gets_what_is_detached_is_asked_about_too(tmp_path: Path, policy: Path) -> None:
    policy.write_text("[[allow]]\nclass = 'pci'\nactions = ['detach']\nnames = ['*']\n")
    tree, path = Tree(tmp_path), "devices/pci0000:00/0000:00:03.0"
    tree.device("bus/pci/devices", path, **{"class": "0x020000", "driver_override": "vfio-pci"})
    tree.link(f"{path}/driver", "bus/pci/drivers/vfio-pci")
    detach = ("--detach", "pci_0000_00_03_0", "--force")
    done = check(tmp_path, *detach, sysroot=tree.sys)
    assert (done.returncode, "already-detached: " in done.stderr) == (4, True), done.stderr
    done = check(tmp_path, *detach, "--driver", "pci-stub", sysroot=tree.sys)
    assert done.returncode == 0, done.stderr
    assert "allowed  to detach pci 0000:00:03.0, by " in done.stdout


def test_a_driver_belongs_to_a_detachment(tmp_path: Path) -> None:
    for words, code in (
        (["--destroy", "net_lo", "--driver", "vfio-pci"], "usage"),
        (["--detach", "net_lo", "--driver", "vfio-pci"], "bad-driver"),
    ):
        done = check(tmp_path, *words)
        assert (done.returncode, done.stderr.startswith(f"hwcensus-agent: {code}: ")) == (2, True), done.stderr


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
    assert "later    the kernel's answer" in done.stdout
    only_asks = asked(tmp_path, kernel, replace(destroy(), type="check-destroy"))
    assert (only_asks.returncode, "kernel's answer" in only_asks.stdout) == (0, False), only_asks.stderr
    assert f"allowed  to destroy vport {WWPN} under {ADAPTER}" in only_asks.stdout
    assert list(Desired(tmp_path / "desired.json", "host-1")) == list(wanted)
    policy.write_text("")
    assert "not-allowed" in asked(tmp_path, kernel, destroy()).stderr


def test_a_file_of_wishes_that_cannot_be_read_is_left_where_it_is(tmp_path: Path, kernel: NpivKernel) -> None:
    (tmp_path / "desired.json").write_text("{")
    done = asked(tmp_path, kernel, replace(create(), persistent=True))
    assert done.returncode == 0, done.stderr
    assert "what this host wants cannot be read" in done.stderr
    assert [path.name for path in tmp_path.glob("desired*")] == ["desired.json"]
