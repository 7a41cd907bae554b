"""PCI functions and USB devices, detached for guests and given back, ordered at the centre: under a real IOMMU group,
by the real vfio-pci, and refused where something speaks against it."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from hwcensus.broker import EmbeddedBroker
from hwcensus.cli import target
from hwcensus.client.command import ENDED
from tests.fixtures.faults import Fault, Forked
from tests.fixtures.line import wait_until
from tests.fixtures.process import ROOT
from tests.lab.console import Console
from tests.lab.guest import Guest
from tests.lab.lab import Lab

CARD, INTERFACE = "pci_0000_01_00_0", "net_enp1s0"
FOLDER = "/sys/bus/pci/devices/0000:01:00.0"


@pytest.fixture
def card(lab: Lab, console: Console) -> Iterator[str]:
    lab.guest.qmp.plug("e1000e", "card", bus="rp0", mac="52:54:00:00:01:03")
    lab.hears(f"add {CARD}", f"add {INTERFACE}")
    console.settle(lab.listener)
    yield CARD
    lab.guest.qmp.unplug("card")
    lab.hears(f"remove {INTERFACE}", f"remove {CARD}")


def test_what_helps_to_decide_is_known_and_shown_before(
    lab: Lab, console: Console, card: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = console.tells("show", "lab", card)
    group = lab.guest(f"basename $(readlink {FOLDER}/iommu_group)").strip()
    assert (facts["facts"]["pci.iommu_group"], facts["state"]["pci.member"]) == (int(group), [card])
    assert facts["facts"]["pci.reset_methods"] == lab.guest(f"cat {FOLDER}/reset_method").strip()
    assert "pci.driver_override" not in facts["state"]
    members = console.tells("show", "lab", "pci_0000_00_1f_3")["state"]["pci.member"]
    assert members == ["pci_0000_00_1f_0", "pci_0000_00_1f_3"]
    monkeypatch.setattr(target, "require_person", lambda: None)
    asked = console("detach", "lab", card, given="n\n")
    assert f"IOMMU group {group}, which goes as a whole: {card} (e1000e)" in asked.err
    assert "its host sees nobody who uses it, and has nothing against it" in asked.err
    assert "not-confirmed" in asked.err


def test_a_network_card_is_vfios_for_a_while_and_the_hosts_again(lab: Lab, console: Console, card: str) -> None:
    group = lab.guest(f"basename $(readlink {FOLDER}/iommu_group)").strip()
    detached = console.orders("detach", "lab", card, "--yes")
    steps = lab.hears_steps(card, f"remove {INTERFACE}", driver="vfio-pci", pci__driver_override="vfio-pci")
    taken = next(step for step in steps if step.device.facts.get("driver") == "vfio-pci")
    assert taken.command == detached["id"]
    assert lab.guest(f"basename $(readlink {FOLDER}/driver); test -c /dev/vfio/{group}") == "vfio-pci\n"
    assert (
        "already-detached"
        in console.orders("detach", "lab", card, "--yes", to="failed", code="already-detached")["code"]
    )

    with lab.guest.holding(f"/dev/vfio/{group}") as pid:
        refused = console.orders("reattach", "lab", card, "--yes", to="failed", code="in-use")
    assert refused["text"].startswith(f"/dev/vfio/{group} is open in sleep (pid {pid})")

    given_back = console.orders("reattach", "lab", card, "--yes")
    steps = lab.hears_steps(card, f"add {INTERFACE}", driver="e1000e")
    assert given_back["id"] in {step.command for step in steps}
    assert "pci.driver_override" not in lab.census[card].state
    assert lab.guest(f"cat {FOLDER}/driver_override") == "(null)\n"
    console.orders("reattach", "lab", card, "--yes", to="failed", code="not-detached")


NEEDED = [
    ("pci_0000_00_01_0", "in-use", "/dev/vda is mounted at /"),
    ("pci_0000_00_1f_3", "iommu-group-shared", "with pci_0000_00_1f_0, which lpc_ich has"),
    ("pci_0000_00_1f_0", "is-bridge", "is a bridge"),
    ("usb_usb1", "is-hub", "is a hub"),
]
NOT_THESE = [
    ("net_enp0s3", "is no PCI function and no USB device"),
    ("usb_1_0_1_0", "is no PCI function and no USB device; name usb_usb1"),
]


def test_what_the_host_needs_stays_and_the_answer_names_why(lab: Lab, console: Console) -> None:
    for device, code, said in NEEDED:
        assert said in console.orders("detach", "lab", device, "--yes", to="failed", code=code)["text"]
    for device, said in NOT_THESE:
        answer = console("detach", "lab", device, "--yes")
        assert (answer.status, said in answer.err) == (4, True), answer.err
    lab.hears()


def test_the_card_that_carries_the_way_to_kafka_stays(lab: Lab) -> None:
    # Asked, not ordered: the agent of the lab has its way over the guest's loopback.
    check = lab.guest.python("-m", "hwcensus_agent.main", "policy", "check", "--policy", "/lab/policy.toml")
    asked = f"HWCENSUS_KAFKA_BOOTSTRAP_SERVERS=10.0.2.2:9092 {check} --detach pci_0000_00_03_0 2>&1"
    said = lab.guest(f"{asked} && exit 1; true")
    assert "carries-kafka: enp0s3 carries the way to Kafka, to 10.0.2.2:9092" in said


def test_a_card_that_took_the_way_to_kafka_along_comes_back_with_its_addresses_and_routes(
    lab: Lab, lab_broker: EmbeddedBroker
) -> None:
    lab.guest.qmp("netdev_add", type="user", id="far", net="10.9.0.0/24")
    lab.guest.qmp.plug("e1000e", "card", bus="rp0", netdev="far", mac="52:54:00:00:01:04")
    lab.hears(f"add {CARD}", f"add {INTERFACE}")
    script = lab.guest.python("-m", "tests.lab.card_way", "enp1s0", "10.9.0", lab_broker.address.rpartition(":")[2])
    assert lab.guest(f"cd {ROOT}; {script}; ip link set enp1s0 mtu 1400") == "undone\n"
    lab.sees(INTERFACE, net__mtu=1400)
    lab.settle()  # how many looks that took, is a matter of time
    assert lab.census[CARD].facts["driver"] == "e1000e"
    lab.guest.qmp.unplug("card")
    lab.hears(f"remove {INTERFACE}", f"remove {CARD}")
    lab.guest.qmp("netdev_del", id="far")


def test_a_function_of_a_shared_group_goes_by_force(lab: Lab, console: Console) -> None:
    name = "pci_0000_00_1f_3"
    console.orders("detach", "lab", name, "--yes", "--force", "--driver", "pci-stub")
    lab.hears_steps(name, driver="pci-stub")
    console.orders("reattach", "lab", name, "--yes")
    lab.hears_steps(name, driver="i801_smbus")


def test_a_driver_that_this_host_lacks_takes_nothing(lab: Lab, console: Console) -> None:
    words = ("detach", "lab", "pci_0000_00_1a_0", "--yes", "--driver", "nosuch-vfio-pci")
    failed = console.orders(*words, to="failed", code="driver-missing")
    assert "Module nosuch-vfio-pci not found" in failed["text"]
    lab.hears()


def test_a_stick_is_detached_unless_it_is_mounted(lab: Lab, console: Console) -> None:
    lab.guest.qmp.drive("medium", 1 << 24)
    lab.guest.qmp.plug("usb-storage", "stick", bus="usb.0", port="2", drive="medium", serial="LABSTICK")
    stick, interface = "usb_2_2", "usb_2_2_1_0"
    disk = ["block_sda", "scsi_generic_sg0", "scsi_3_0_0_0", "scsi_target3_0_0", "scsi_host3"]
    lab.hears(f"add {stick}", f"add {interface}", *(f"add {name}" for name in reversed(disk[2:])),
              {f"add {name}" for name in disk[:2]})  # fmt: skip
    with lab.guest.holding("/dev/sda") as pid:
        refused = console.orders("detach", "lab", stick, "--yes", to="failed", code="in-use")
        assert refused["text"].startswith(f"/dev/sda is open in sleep (pid {pid})")

        detached = console.orders("detach", "lab", stick, "--yes", "--force")
        steps = lab.hears_steps(interface, *(f"remove {name}" for name in disk), driver=None)
        assert detached["id"] in {step.command for step in steps}
    given_back = console.orders("reattach", "lab", stick, "--yes")
    steps = lab.hears_steps(interface, *(f"add {name}" for name in disk), driver="usb-storage")
    assert given_back["id"] in {step.command for step in steps}
    lab.guest.qmp.unplug("stick", drive="medium")
    lab.hears({f"remove {name}" for name in (*disk, interface, stick)})


class InTheGuest:
    """Where an agent is started that shall die."""

    scratch = "/run"

    def __init__(self, guest: Guest) -> None:
        self._guest = guest

    def spawn(self, command: Sequence[str], settings: Mapping[str, str]) -> None:
        words = shlex.join([*(f"{name}={value}" for name, value in settings.items()), *command])
        self._guest(f"(env {words} >/run/spawned 2>&1 </dev/null &)")

    def run(self, script: str) -> object:
        return self._guest(script)


def test_an_agent_killed_between_two_writes_gives_the_card_back_when_it_starts_again(
    lab: Lab, console: Console, card: str
) -> None:
    def has() -> str:
        return lab.guest(f"basename $(readlink {FOLDER}/driver || echo nobody); cat {FOLDER}/driver_override")

    lab.stop_agent()
    agent = Forked("hwcensus_agent.main", lab.guest.folder, lab.settings, InTheGuest(lab.guest), seen_as=Path("/lab"))
    lab.starts(lambda: agent.start("run", ready="^began "))
    agent.arm(Fault(place="hwcensus_agent.commands.executors.drivers:Bus.offer"))
    command = console.tells("detach", "lab", card, "--yes")["id"]
    agent.dies()
    agent.close()
    assert has() == "nobody\nvfio-pci\n"
    lab.agent_was_killed()
    lab.start_agent()
    wait_until(lambda: console.tells("command", "show", command)["state"] in ENDED, "its end", seconds=60.0)
    assert console.tells("command", "show", command)["code"] == "interrupted"
    assert has() == "e1000e\n(null)\n"
    lab.guest("udevadm settle; ip link set enp1s0 mtu 1400")
    lab.sees(INTERFACE, net__mtu=1400)
    lab.settle()  # how many looks that took, is a matter of time
