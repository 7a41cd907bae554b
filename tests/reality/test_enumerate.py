"""The machine itself, and devices that this kernel makes for a test: all of them found, with sysfs's own facts."""

import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from lxml import etree

from hwcensus import document
from hwcensus_agent.enumerate import Enumerator, enumerate_host
from tests.fixtures.namespace import run_in_namespace
from tests.fixtures.process import program_environment
from tests.fixtures.require import require
from tests.reality.sysfs_facts import check_whole, expected, survey_of
from tests.reality.test_sources_namespace import in_namespace

SYS = Path("/sys")
AGENT = [sys.executable, "-m", "hwcensus_agent.main"]


def test_every_device_of_this_machine_is_found_with_the_facts_of_its_sysfs() -> None:
    devices = enumerate_host().devices
    check_whole(devices)
    by_key = {one.key: document.survey(one.element) for one in devices}
    compared = 0
    for key, folder, facts in expected(SYS):
        survey = by_key.get(key)
        if survey is None:
            assert _is_veth(folder) or not folder.exists(), f"{key} is missing"
            continue
        said = {**survey.facts, **survey.state}
        assert {path: said.get(path) for path in facts} == facts, key
        compared += 1
    assert compared >= len(list((SYS / "bus/pci/devices").iterdir())) + 1


def _is_veth(folder: Path) -> bool:
    shown = subprocess.run(["ip", "-d", "link", "show", folder.name], capture_output=True, text=True, check=False)
    return " veth " in shown.stdout


def test_the_host_is_what_the_running_kernel_says() -> None:
    facts = survey_of(enumerate_host().devices, "computer").facts
    assert facts["system.kernel"] == os.uname().release
    assert facts["system.architecture"] == os.uname().machine
    memory = facts["system.memory"]
    assert isinstance(memory, int)
    assert memory >= os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def test_makers_are_named_where_the_hwdb_is_here() -> None:
    require(Path("/usr/lib/udev/hwdb.bin").exists(), "no hwdb.bin")
    devices = enumerate_host().devices
    intel = [one.name for one in devices if document.survey(one.element).facts.get("pci.vendor") == 0x8086]
    if not intel:
        pytest.skip("no Intel device here")
    assert survey_of(devices, intel[0]).facts["pci.vendor_name"] == "Intel Corporation"


def dump(script: str, *, include: str = "", udevd: bool = False, trigger: bool = False) -> dict[str, etree._Element]:
    """Name → document of every device in a namespace, after this shell script. Skips where it cannot be."""
    command = " ".join([*AGENT, "dump", f"--include={include}"])
    done = run_in_namespace(["sh", "-ec", f"{script}\n{command}"], udevd=udevd, trigger=trigger)
    if "Unknown device type" in done.stderr:
        pytest.skip(f"this kernel has no such device: {script}")
    assert done.returncode == 0, done.stderr
    return {str(one.findtext("name")): one for one in etree.fromstring(done.stdout.encode())}


def test_a_bridge_with_a_port_and_a_kernel_that_has_no_udevd() -> None:
    script = """
        ip link add br0 type bridge stp_state 1
        ip link add ifb0 mtu 9000 type ifb
        ip link set ifb0 master br0
        ip link set br0 up
    """
    devices = dump(script)
    bridge, port = (document.survey(devices[name]) for name in ("net_br0", "net_ifb0"))
    assert bridge.capabilities == ["net", "80203", "bridge"]
    assert (bridge.frame["driver"], bridge.frame["parent"], bridge.facts["bridge.stp"]) == ("bridge", "computer", True)
    assert bridge.state["net.port"] == ["net_ifb0"]
    assert (port.frame["driver"], port.facts["net.master"], port.state["net.mtu"]) == ("ifb", "net_br0", 9000)
    assert not [identifier for identifier in bridge.identifiers if identifier.own]


def test_a_vlan_has_an_id_a_protocol_and_the_link_below() -> None:
    devices = dump("ip link add ifb0 type ifb\nip link add link ifb0 name vlan5 type vlan id 5")
    facts = document.survey(devices["net_vlan5"]).facts
    assert (facts["vlan.id"], facts["vlan.protocol"], facts["vlan.lower"]) == (5, "802.1Q", "net_ifb0")


def test_a_bond_has_a_mode() -> None:
    devices = dump("ip link add bond0 type bond mode active-backup")
    assert document.survey(devices["net_bond0"]).facts["bond.mode"] == "active-backup"


def test_veths_come_in_only_by_include() -> None:
    script = "ip link add v0 type veth peer name v1"
    assert not {"net_v0", "net_v1"} & dump(script).keys()
    included = document.survey(dump(script, include="net:veth")["net_v0"])
    assert (included.frame["driver"], included.capabilities) == ("veth", ["net", "80203"])


def test_names_that_come_out_equal_are_told_apart() -> None:
    devices = dump("ip link add br.0 type bridge\nip link add br_0 type bridge")
    names = {name for name in devices if name.startswith("net_br")}
    assert names == {"net_br_0", "net_br_0__c0ec"}


def test_a_name_of_strange_bytes_is_a_device_like_any_other() -> None:
    script = r"""ip link add "$(printf 'br\351\033[1m')" type bridge"""
    (name,) = [name for name in dump(script) if name.startswith("net_br")]
    assert name == "net_br___1m"


def test_a_real_udevd_changes_no_fact_of_hardware() -> None:
    def digests(*, trigger: bool) -> dict[str, bytes]:
        devices = dump("ip link add br0 address 02:00:00:00:00:01 type bridge", udevd=trigger, trigger=trigger)
        return {
            name: document.take_apart(device).digest
            for name, device in devices.items()
            if not document.survey(device).facts.get("volume.uuid")
        }

    assert digests(trigger=True) == digests(trigger=False)


class Said(logging.Handler):
    """What was warned of."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(f"{record.getMessage()} {record.__dict__}")


@in_namespace
def test_a_device_that_goes_while_it_is_read_is_no_error() -> None:
    script = "while :; do ip link add hwc0 type bridge; ip link add i0 type ifb; ip link del hwc0; ip link del i0; done"
    said = Said()
    logging.getLogger("hwcensus_agent").addHandler(said)
    look, met, missed = Enumerator(), 0, 0
    with subprocess.Popen(["sh", "-c", script], start_new_session=True) as racer:
        try:
            while met < 20 or missed < 20:
                for found in (look.everything(), look.some(["/sys/devices/virtual/net/hwc0"], {}, {})):
                    assert not [one.name for one in found.devices if "/virtual/net/" in one.key and one.device.state]
                    there = "net_hwc0" in {one.name for one in found.devices}
                    met, missed = met + there, missed + (not there)
        finally:
            os.killpg(racer.pid, signal.SIGKILL)
    assert said.messages == []


@contextlib.contextmanager
def loop_device(file: Path) -> Iterator[str]:
    require(os.geteuid() == 0 and Path("/dev/loop-control").exists(), "loop devices need root and the loop driver")
    file.write_bytes(bytes(1 << 20))
    name = subprocess.run(["losetup", "--find", "--show", file], capture_output=True, text=True, check=True).stdout
    try:
        yield Path(name.strip()).name
    finally:
        subprocess.run(["losetup", "--detach", name.strip()], check=True)


def test_a_loop_device_is_there_while_it_has_a_file(tmp_path: Path) -> None:
    with loop_device(tmp_path / "disk.img") as name:
        devices = enumerate_host().devices
        facts = survey_of(devices, f"block_{name}").facts
        (identity,) = [one.identity for one in devices if one.name == f"block_{name}"]
    assert (facts["block.size"], facts["loop.backing_file"]) == (1 << 20, str(tmp_path / "disk.img"))
    assert identity.startswith("block/guid/%2F")
    _until_gone(f"block_{name}")


def _until_gone(name: str) -> None:
    """losetup --detach returns before the kernel has let go of the file."""
    deadline = time.monotonic() + 20
    while name in {one.name for one in enumerate_host().devices}:
        assert time.monotonic() < deadline, f"{name} stays"
        time.sleep(0.01)


def test_a_zram_is_there_once_it_has_a_size() -> None:
    control = SYS / "class/zram-control"
    require(os.geteuid() == 0 and control.is_dir(), "zram devices need root and the zram driver")
    number = int((control / "hot_add").read_text())
    folder = SYS / f"block/zram{number}"
    try:
        assert f"block_zram{number}" not in {one.name for one in enumerate_host().devices}
        (folder / "disksize").write_text("1048576")
        facts = survey_of(enumerate_host().devices, f"block_zram{number}").facts
        assert facts["block.size"] == 1 << 20
        assert f"[{facts['zram.algorithm']}]" in (folder / "comp_algorithm").read_text()
    finally:
        (folder / "reset").write_text("1")
        (control / "hot_remove").write_text(str(number))


def test_without_root_the_same_devices_are_seen_and_what_is_missing_is_named() -> None:
    require(os.geteuid() == 0, "only root can become somebody else")
    ours = [one for one in enumerate_host().devices if not one.name.startswith(("block_loop", "block_zram"))]
    theirs = {name: (facts, unread) for name, facts, unread in json.loads(_as_nobody(_without_rights))}
    assert {one.name for one in ours} <= theirs.keys()
    for one in ours:
        facts, unread = theirs[one.name]
        missing = set(document.survey(one.element).facts) - set(facts)
        assert missing <= set(unread), one.name


def _without_rights() -> str:
    devices = enumerate_host().devices
    unread = {one.name: (one.device.state.unread or "").split() if one.device.state else [] for one in devices}
    return json.dumps([(one.name, list(document.survey(one.element).facts), unread[one.name]) for one in devices])


def _as_nobody(work: Callable[[], str]) -> str:
    """What `work` gives in a child that has given up its rights; it can import nothing more."""
    readable, writable = os.pipe()
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException), os.fdopen(writable, "w") as pipe:
            os.setgroups([])
            os.setresgid(65534, 65534, 65534)
            os.setresuid(65534, 65534, 65534)
            pipe.write(work())
        os._exit(0)
    os.close(writable)
    with os.fdopen(readable) as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    return said


def test_list_as_json_agrees_with_the_enumeration() -> None:
    done = subprocess.run(
        [*AGENT, "list", "-o", "json"], capture_output=True, text=True, check=True, env=program_environment()
    )
    listed = {one["name"]: one["identity"] for one in json.loads(done.stdout)}
    assert {
        one.name: one.identity for one in enumerate_host().devices if "loop" not in one.name
    }.items() <= listed.items()
