"""Sound cards, their nodes, and what HAL says of these and of input devices."""

from pathlib import Path

import pytest

from hwcensus import codec, document
from hwcensus.device import Device
from hwcensus.document import JsonValue, Survey
from hwcensus_agent.describe import describe, sound
from hwcensus_agent.enumerate import enumerate_host
from hwcensus_agent.host import HostView
from tests.fixtures import hal_recording
from tests.unit.sysfs_tree import Tree

CARD = "devices/pci0000:00/0000:00:1b.0/sound/card1"
CARDS = """\
 0 [NVidia         ]: HDA-Intel - HDA NVidia
                      HDA NVidia at 0xf7080000 irq 17
 1 [PCH            ]: HDA-Intel - HDA Intel PCH
                      HDA Intel PCH at 0xf7e10000 irq 32
"""


def card(root: Path, *nodes: str) -> Tree:
    tree = Tree(root)
    tree.device("class/sound", CARD, id="PCH", number="1")
    for node in nodes:
        tree.device("class/sound", f"{CARD}/{node}", uevent=f"DEVNAME=snd/{node}\n")
        tree.link(f"{CARD}/{node}/device", CARD)
    return tree


def surveys(tree: Tree) -> dict[str, Survey]:
    return {one.name: document.survey(one.element) for one in enumerate_host(sysroot=str(tree.sys)).devices}


@pytest.mark.parametrize(
    "node, expected",
    [
        ("controlC1", {"alsa.type": "control"}),
        ("pcmC1D3p", {"alsa.type": "playback", "alsa.device": 3}),
        ("pcmC1D0c", {"alsa.type": "capture", "alsa.device": 0}),
        ("midiC1D2", {"alsa.type": "midi", "alsa.device": 2}),
        ("hwC1D0", {"alsa.type": "hw_specific", "alsa.device": 0}),
        ("comprC1D9", {"alsa.type": "compress", "alsa.device": 9}),
    ],
)
def test_a_node_says_what_it_is_for_and_of_which_card(
    tmp_path: Path, node: str, expected: dict[str, JsonValue]
) -> None:
    found = surveys(card(tmp_path, node))
    assert found[f"sound_{node}"].facts == {"sound.card": 1, "sound.id": "PCH", **expected}
    assert found[f"sound_{node}"].capabilities == ["sound", "alsa"]
    assert found[f"sound_{node}"].frame["parent"] == "sound_card1"
    assert found[f"sound_{node}"].frame["devnode"] == [f"/dev/snd/{node}"]
    assert found["sound_card1"].facts == {"sound.card": 1, "sound.id": "PCH"}
    assert found["sound_card1"].capabilities == ["sound"]


def test_nodes_of_the_older_sound_system_and_those_without_hardware_stay_out(tmp_path: Path) -> None:
    tree = card(tmp_path, "mixer1", "dsp1", "adsp1", "audio1")
    for node in ("seq", "timer", "sequencer", "sequencer2"):
        tree.device("class/sound", f"devices/virtual/sound/{node}")
    assert set(surveys(tree)) == {"computer", "sound_card1"}


def test_the_running_kernel_names_cards_and_streams(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = card(tmp_path, "pcmC1D0p")
    proc = tmp_path / "proc/asound"
    (proc / "card1/pcm0p").mkdir(parents=True)
    (proc / "cards").write_text(CARDS)
    (proc / "card1/pcm0p/info").write_text("card: 1\ndevice: 0\nid: ALC269VC Analog\nname: ALC269VC Analog\n")
    monkeypatch.setattr(sound, "PROC", proc)
    host = HostView(str(tree.sys))
    host.live = True
    node = describe(host.view(f"/sys/{CARD}/pcmC1D0p", "sound"), host)
    assert node is not None
    facts = document.survey(codec.write_device(Device(name="x", capabilities=node.capabilities))).facts
    assert (facts["sound.name"], facts["alsa.id"]) == ("HDA Intel PCH", "ALC269VC Analog")


def test_a_recorded_host_says_nothing_of_the_cards_of_this_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cards").write_text(CARDS)
    monkeypatch.setattr(sound, "PROC", tmp_path)
    assert "sound.name" not in surveys(card(tmp_path / "host"))["sound_card1"].facts


def by_hal(empty: Path, properties: hal_recording.Properties) -> Survey:
    found = describe(hal_recording.view(properties, empty), hal_recording.host(empty))
    assert found is not None
    return document.survey(codec.write_device(Device(name="x", capabilities=found.capabilities)))


def test_hal_names_a_card_in_either_generation(tmp_path: Path) -> None:
    recorded = hal_recording.load("desktop")["pci_8086_27d8_sound_card_0"]
    assert by_hal(tmp_path, recorded).facts == {"sound.card": 0}
    assert by_hal(tmp_path, {**recorded, "sound.card_id": "HDA Intel"}).facts["sound.name"] == "HDA Intel"
    assert by_hal(tmp_path, {**recorded, "alsa.card_id": "HDA Intel"}).facts["sound.name"] == "HDA Intel"


def test_hal_says_what_a_stream_is_for(tmp_path: Path) -> None:
    recorded = hal_recording.load("desktop")
    modem = recorded["pci_8086_27d8_sound_card_0_alsa_playback_1"]
    assert by_hal(tmp_path, {**modem, "alsa.device_id": "ALC262 Modem"}).facts == {
        "sound.card": 0, "alsa.type": "playback", "alsa.device": 1, "alsa.pcm_class": "modem",
        "alsa.id": "ALC262 Modem",
    }  # fmt: skip
    control = recorded["pci_8086_27d8_sound_card_0_alsa_control__1"]
    assert by_hal(tmp_path, control).facts == {"sound.card": 0, "alsa.type": "control"}


def test_hal_says_what_an_input_device_is_by_capabilities_of_its_node(tmp_path: Path) -> None:
    recorded = hal_recording.load("desktop")
    mouse = by_hal(tmp_path, recorded["platform_i8042_i8042_AUX0_port_logicaldev_input"])
    keyboard = by_hal(tmp_path, recorded["platform_i8042_i8042_KBD_port_logicaldev_input"])
    assert mouse.facts == {"input.name": "SynPS/2 Synaptics TouchPad", "input.node": "/dev/input/event1"}
    assert mouse.capabilities == ["input", "mouse"]
    assert keyboard.capabilities == ["input", "keyboard"]


def test_an_input_device_has_all_its_ids_and_where_it_is(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    tree.device("class/input", "devices/pci0000:00/0000:00:01.2/usb1/1-1/1-1:1.0/input/input4", name="QEMU USB Tablet",
                id__bustype="0003", id__vendor="0627", id__product="0001", id__version="0110",
                phys="usb-0000:00:01.2-1/input0", uniq="42")  # fmt: skip
    assert surveys(tree)["input_input4"].facts == {
        "input.name": "QEMU USB Tablet", "input.id.bus": "0003", "input.id.vendor": "0627", "input.id.product": "0001",
        "input.id.version": "0110", "input.phys": "usb-0000:00:01.2-1/input0", "input.uniq": "42",
    }  # fmt: skip
