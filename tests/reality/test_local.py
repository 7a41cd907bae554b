"""`hwcensus-agent list|show|dump|watch` as processes, on a recorded host and in a namespace of their own."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Self

import pytest
from lxml import etree

from hwcensus import schema
from tests.fixtures.namespace import in_namespace, namespaces_work
from tests.fixtures.process import Process, program_environment
from tests.reality.recordings import HERE, T60, unpack
from tests.unit.sysfs_tree import Tree

AGENT = [sys.executable, "-m", "hwcensus_agent.main"]


@pytest.fixture(scope="module")
def t60(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(unpack(HERE / "systemd-thinkpad-t60.tree.tar.xz", tmp_path_factory.mktemp("t60")))


def agent(*words: str) -> subprocess.CompletedProcess[str]:
    environment = program_environment()
    return subprocess.run([*AGENT, *words], capture_output=True, text=True, check=False, timeout=60, env=environment)


def said(*words: str) -> str:
    done = agent(*words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_list_has_a_line_a_device(t60: str) -> None:
    lines = said("list", "--sysroot", t60).splitlines()
    assert lines[0].split() == ["NAME", "BUS", "CAPABILITIES", "DRIVER", "WHAT"]
    assert len(lines) == T60 + 1
    assert any(re.match(r"net_wlan0 +- +net 80211 +iwl3945 +00:19:d2", line) for line in lines)


def test_a_list_comes_and_the_program_ends_though_a_device_does_not_answer(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    for function in "01":
        path = f"devices/pci0000:00/0000:00:03.{function}"
        tree.device("bus/pci/devices", path, vendor="0x8086", device="0x1572")
        os.mkfifo(tree.sys / path / "revision")  # whoever opens it waits for somebody who writes
    words = ["list", "-o", "names", "--sysroot", str(tree.sys)]
    environment = program_environment(HWCENSUS_CENSUS_READ_LIMIT_S="0.3")
    done = subprocess.run([*AGENT, *words], capture_output=True, text=True, timeout=60, env=environment, check=True)
    assert {"pci_0000_00_03_0", "pci_0000_00_03_1"} <= set(done.stdout.splitlines())
    assert "pci.revision" in done.stderr


def test_a_list_says_once_which_facts_there_are_but_not_for_now(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    for function in "01":
        path = f"devices/pci0000:00/0000:00:03.{function}"
        tree.device("bus/pci/devices", path, vendor="0x8086", device="0x1572")
        tree.unreadable(f"{path}/revision")
    done = agent("list", "--sysroot", str(tree.sys))
    who = "cannot be read now" if os.geteuid() == 0 else "only root may read, or not now"
    assert done.stderr == f"hwcensus-agent: {who}: pci.revision\n"


def test_a_list_as_json_has_six_fields_a_device(t60: str) -> None:
    listed = {one["name"]: one for one in json.loads(said("list", "--sysroot", t60, "-o", "json"))}
    assert listed["usb_5_2"] == {
        "name": "usb_5_2",
        "key": "/sys/devices/pci0000:00/0000:00:1d.7/usb5/5-2",
        "parent": "usb_usb5",
        "identity": "usb/serial/1057:123:354172020305000",
        "bus": "usb",
        "capabilities": [],
    }
    assert listed["computer"]["parent"] is None


@pytest.mark.parametrize(
    "words, names",
    [
        (["--cap", "80211"], "net_wlan0 net_wmaster0"),
        (["--cap", "net.80211"], "net_wlan0 net_wmaster0"),
        (["--cap", "cdrom"], "block_sr0"),
        (["--cap", "system"], "computer"),
        (["--cap", "bridge"], ""),
        (["--cap", "usb", "--bus", "pci"], ""),
        (["--bus", "virtio"], ""),
    ],
)
def test_devices_are_listed_by_capability_and_by_bus(t60: str, words: list[str], names: str) -> None:
    assert said("list", "--sysroot", t60, "-o", "names", *words).split() == names.split()


def test_a_tree_has_every_device_below_its_parent(t60: str) -> None:
    lines = said("list", "--sysroot", t60, "--tree").splitlines()
    at = next(number for number, line in enumerate(lines) if "block_sdb " in line)
    assert lines[0].startswith("computer")
    assert re.fullmatch(r"│     │ +├─ block_sdb  Generic USB Flash Drive 132 MB", lines[at])
    assert re.fullmatch(r"│     │ +│  └─ block_sdb1  132 MB", lines[at + 1])
    assert len(lines[at + 1]) - len(lines[at + 1].lstrip("│ ")) == len(lines[at]) - len(lines[at].lstrip("│ ")) + 3


@pytest.mark.parametrize(
    "wanted",
    [
        "net_eth0",
        "net_eth0_00_16_41_e2_8d_ff",
        "/sys/devices/pci0000:00/0000:00:1c.0/0000:02:00.0/net/eth0",
        "net/place/pci0000:00%2F0000:00:1c.0%2F0000:02:00.0%2Fnet",
    ],
)
def test_a_device_is_found_by_name_key_identity_or_libvirts_name(t60: str, wanted: str) -> None:
    shown = json.loads(said("show", "--sysroot", t60, "-o", "json", wanted))
    assert (shown["name"], shown["driver"]) == ("net_eth0", "e1000e")
    assert shown["facts"]["net.address"] == "00:16:41:e2:8d:ff"


def test_what_is_shown_are_the_facts_by_their_paths(t60: str) -> None:
    lines = said("show", "--sysroot", t60, "net_eth0").splitlines()
    assert [line.split(maxsplit=1) for line in lines[:2]] == [
        ["identity", "net/place/pci0000:00%2F0000:00:1c.0%2F0000:02:00.0%2Fnet"],
        ["name", "net_eth0"],
    ]
    assert re.search(r"^net\.mtu \(now\) +1500$", "\n".join(lines), re.MULTILINE)


def test_a_disk_is_found_by_the_name_that_libvirt_gives_it(t60: str) -> None:
    found = etree.fromstring(said("dump", "--sysroot", t60, "block_sdb_Generic_USB_Flash_Drive_0_0"))
    assert found.findtext("name") == "block_sdb"


def test_libvirts_form_has_what_libvirt_knows_and_says_how_many_are_left_out(t60: str) -> None:
    done = agent("dump", "--sysroot", t60, "--format", "libvirt")
    listed = etree.fromstring(done.stdout.encode())
    names = [device.findtext("name") for device in listed]
    assert {"computer", "net_eth0_00_16_41_e2_8d_ff", "block_sdb_Generic_USB_Flash_Drive_0_0"} <= set(names)
    left_out = len(said("list", "--sysroot", t60, "-o", "names").splitlines()) - len(names)
    assert done.stderr == f"hwcensus-agent: libvirt has no form for {left_out} devices: left out\n"


def test_one_device_in_libvirts_form_has_its_relations_all_the_same(t60: str) -> None:
    one = etree.fromstring(said("dump", "--sysroot", t60, "--format", "libvirt", "net_eth0"))
    assert (one.tag, one.findtext("parent")) == ("device", "pci_0000_02_00_0")
    refused = agent("dump", "--sysroot", t60, "--format", "libvirt", "block_sda1")
    assert (refused.returncode, refused.stdout) == (3, "")
    assert "no-such-form: libvirt has no form for block_sda1" in refused.stderr


def test_one_device_is_dumped_as_its_document_and_several_in_one(t60: str) -> None:
    one = etree.fromstring(said("dump", "--sysroot", t60, "block_sda"))
    schema.validate(one, "device")
    assert (one.tag, one.findtext("name")) == ("device", "block_sda")
    two = etree.fromstring(said("dump", "--sysroot", t60, "block_sda", "net_eth0"))
    assert [child.findtext("name") for child in two] == ["block_sda", "net_eth0"]
    everything = etree.fromstring(said("dump", "--sysroot", t60).encode())
    assert (everything.tag, len(everything)) == ("devices", T60)


@pytest.mark.parametrize(
    "words, exit_code, message",
    [
        (["show", "net_et0"], 3, r"unknown-device: there is no device 'net_et0'; near it: net_eth0"),
        (["show", "/sys/devices/nothing"], 3, r"unknown-device: there is no device '/sys/devices/nothing'"),
        (["list", "--cap", "brige"], 2, r"unknown-capability: .*'brige'; near it: bridge"),
        (["list", "--bus", "pcie"], 2, r"unknown-bus: there is no bus 'pcie'; near it: pci"),
        (["list", "--source", "hal"], 4, r"source-unavailable: no hald is reachable"),
        (["list", "--source", "wmi"], 2, r"invalid choice: 'wmi'"),
        (["watch"], 2, r"only /sys can be watched"),
    ],
)
def test_what_cannot_be_is_one_line_and_an_exit_code(t60: str, words: list[str], exit_code: int, message: str) -> None:
    done = agent(words[0], "--sysroot", t60, *words[1:])
    assert (done.returncode, done.stdout) == (exit_code, "")
    assert re.search(message, done.stderr.splitlines()[-1])


def test_a_folder_that_is_no_sysfs_is_refused(tmp_path: Path) -> None:
    done = agent("list", "--sysroot", str(tmp_path))
    assert done.returncode != 0
    assert "no-sysfs" in done.stderr


def test_a_terminal_that_shows_only_ascii_gets_what_it_can_show_and_documents_stay_utf_8(t60: str) -> None:
    environment = program_environment(PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    words = ["--sysroot", t60]
    done = [
        subprocess.run([*AGENT, verb, *words, *more], capture_output=True, check=False, env=environment)
        for verb, *more in (["list", "--tree"], ["dump"])
    ]
    assert [one.returncode for one in done] == [0, 0]
    assert done[0].stdout.isascii()
    assert len(etree.fromstring(done[1].stdout)) == T60


def test_include_brings_in_more_subsystems(t60: str) -> None:
    assert "thermal_thermal_zone0" not in said("list", "--sysroot", t60, "-o", "names").split()
    assert "thermal_thermal_zone0" in said("list", "--sysroot", t60, "--include", "thermal", "-o", "names").split()


class Inside:
    """A watcher in a namespace, and a way to have commands run in there with it."""

    def __init__(self, folder: Path, *words: str, udevd: bool = False) -> None:
        namespaces_work(udevd=udevd)
        self._orders = folder / "orders"
        os.mkfifo(self._orders)
        # The watcher is the process itself; the reader of orders beside it must not hold its output open.
        reader = f'while read -r line < {self._orders} && [ "$line" != end ]; do sh -c "$line"; done'
        watcher = " ".join([*AGENT, "watch", *words])
        self.process = Process(in_namespace(["sh", "-c", f"({reader}) >/dev/null 2>&1 & exec {watcher}"], udevd=udevd))
        try:
            self.process.wait_for("watching .* devices by udev, rtnetlink, clock")
        except AssertionError:
            self.__exit__()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._orders.write_text("end\n")
        self.process.stop()

    def does(self, command: str, *lines: str) -> None:
        """Runs a command inside, and waits until the watcher has said these lines since."""
        before = len(self.process.lines)
        self._orders.write_text(f"{command}\n")
        for line in lines:
            self.process.wait_for(line, after=before)


@pytest.mark.parametrize("udevd", [False, True])
def test_what_is_watched_is_printed_as_it_comes_changes_and_goes(tmp_path: Path, udevd: bool) -> None:
    with Inside(tmp_path, udevd=udevd) as inside:
        inside.does("ip link add br0 type bridge", r" add net_br0$")
        inside.does("ip link set br0 mtu 1400", r" change net_br0 state: .*net.mtu")
        inside.does("ip link add ifb0 type ifb", r" add net_ifb0$")
        inside.does("ip link set ifb0 master br0", r" change net_br0 .*net.port", " change net_ifb0 facts: net.master$")
        inside.does("ip link set ifb0 name ifb7", r" change net_ifb7 renumbered: key name net.interface$")
        inside.does("ip link del br0", r" remove net_br0$", r" change net_ifb7 facts: .*net.master")


@pytest.mark.parametrize("udevd", [False, True])
def test_a_renamed_bridge_has_another_name_at_its_port_too_and_all_is_told_once(tmp_path: Path, udevd: bool) -> None:
    with Inside(tmp_path, udevd=udevd) as inside:
        inside.does("ip link add br0 type bridge; ip link add ifb0 type ifb", r" add net_br0$", " add net_ifb0$")
        inside.does("ip link set ifb0 master br0", r" change net_br0 .*net.port", " change net_ifb0 facts: net.master$")
        before = len(inside.process.lines)
        for was, now in (("br0", "br7"), ("br7", "br8")):
            inside.does(
                f"ip link set {was} name {now}", rf" change net_{now} renumbered: key name net.interface$",
                r" change net_ifb0 facts: net.master$",
            )  # fmt: skip
        inside.does("ip link add br1 type bridge", r" add net_br1$")
        said = [line.split(" ", 1)[1].strip() for line in inside.process.lines[before:]]
    renamed = "renumbered: key name net.interface"
    assert sorted(said) == ["add net_br1", f"change net_br7 {renamed}", f"change net_br8 {renamed}",
                            "change net_ifb0 facts: net.master", "change net_ifb0 facts: net.master"]  # fmt: skip


def test_watched_events_are_objects_where_programs_read_them(tmp_path: Path) -> None:
    with Inside(tmp_path, "-o", "ndjson") as inside:
        inside.does("ip link add br0 type bridge", '"add"')
        inside.does("ip link set br0 mtu 1400", '"change"')
        lines = [json.loads(line) for line in inside.process.lines if line.startswith("{")]
    assert [(one["type"], one["name"], one.get("kind")) for one in lines] == [
        ("add", "net_br0", None),
        ("change", "net_br0", "state"),
    ]
    assert lines[0]["identity"] == "net/place/virtual%2Fnet%2Fbr0"


def test_what_nothing_announces_is_watched_by_the_clock(tmp_path: Path) -> None:
    disk = "/sys/block/zram0"  # one of our own: this kernel's cannot be given a size without being used
    with Inside(tmp_path) as inside:
        made = f"mkdir {disk}; ln -s ../../class/block {disk}/subsystem; echo DEVTYPE=disk >{disk}/uevent"
        inside.does(f"mount -t tmpfs none /sys/block; {made}; echo 16384 >{disk}/size", r" add block_zram0$")


def test_a_watcher_ends_well_when_it_is_told_to() -> None:
    namespaces_work()
    with Process(in_namespace([*AGENT, "watch", "-o", "ndjson"])) as watcher:
        watcher.wait_for("watching")
        assert watcher.stop() == 0
