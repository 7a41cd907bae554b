"""USB devices plugged in and out: known by their serials, whatever the port."""

import pytest

from tests.lab.lab import Lab

STICK = "usb/serial/18164:1:LABSTICK"


def test_a_keyboard_comes_parents_first_and_goes_children_first(lab: Lab) -> None:
    lab.guest.qmp.plug("usb-kbd", "keyboard", bus="usb.0", port="1")
    lab.hears("add usb_1_1", "add usb_1_1_1_0", "add input_input5", "add input_event4")
    assert lab.census["usb_1_1_1_0"].facts["parent"] == "usb_1_1"
    assert "keyboard" in lab.census["input_input5"].survey.capabilities

    lab.guest.qmp.unplug("keyboard")
    lab.hears("remove input_event4", "remove input_input5", "remove usb_1_1_1_0", "remove usb_1_1")


@pytest.mark.parametrize("port", ["2", "3"])
def test_a_stick_is_the_same_in_whichever_port(lab: Lab, port: str) -> None:
    lab.guest.qmp.drive("stick", 1 << 24)
    lab.guest.qmp.plug("usb-storage", "stick", bus="usb.0", port=port, drive="stick", serial="LABSTICK")
    device, interface, disk = lab.hears(f"add usb_2_{port}", f"add usb_2_{port}_1_0", "add block_sda")
    assert device.device.identity == STICK
    assert interface.device.identity == f"usb/place/{STICK.replace('/', '%2F')}%2F:1.0"
    assert disk.device.identity == "block/serial/LABSTICK"
    assert disk.device.facts.items() >= {"storage.bus": "usb", "storage.size": 1 << 24}.items()

    lab.guest.qmp.unplug("stick", drive="stick")
    lab.hears("remove block_sda", f"remove usb_2_{port}_1_0", f"remove usb_2_{port}")
