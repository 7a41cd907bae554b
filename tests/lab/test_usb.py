"""USB devices plugged in and out: known by their serials, whatever the port."""

import pytest

from tests.lab.lab import Lab

STICK = "usb/serial/18164:1:LABSTICK"
KEYS = "input/place/usb%2Fserial%2F1575:1:68284-0000:00:19.0-1%2F:1.0%2F0003:0627:0001%2Finput%2Finput"


def test_a_keyboard_comes_parents_first_and_goes_children_first(lab: Lab) -> None:
    lab.guest.qmp.plug("usb-kbd", "keyboard", bus="usb.0", port="1")
    keys, event = lab.finds(KEYS), lab.finds(f"{KEYS}%2Fevent")  # whose numbers go on from those that drivers tried
    lab.hears("add usb_1_1", "add usb_1_1_1_0", f"add {keys}", f"add {event}")
    assert lab.census["usb_1_1_1_0"].facts["parent"] == "usb_1_1"
    assert "keyboard" in lab.census[keys].survey.capabilities

    lab.guest.qmp.unplug("keyboard")
    lab.hears(f"remove {event}", f"remove {keys}", "remove usb_1_1_1_0", "remove usb_1_1")


@pytest.mark.parametrize("port", ["2", "3"])
def test_a_stick_is_the_same_in_whichever_port(lab: Lab, port: str) -> None:
    lab.guest.qmp.drive(f"medium{port}", 1 << 24)
    lab.guest.qmp.plug("usb-storage", "stick", bus="usb.0", port=port, drive=f"medium{port}", serial="LABSTICK")
    stick, interface, disk = f"usb_2_{port}", f"usb_2_{port}_1_0", "block_sda"
    lab.hears(
        f"add {stick}", f"add {interface}", "add scsi_host3", "add scsi_target3_0_0", "add scsi_3_0_0_0",
        {"add scsi_generic_sg0", f"add {disk}"},
    )  # fmt: skip
    assert lab.census[stick].identity == STICK
    assert lab.census[interface].identity == f"usb/place/{STICK.replace('/', '%2F')}%2F:1.0"
    assert lab.census[disk].identity == "block/serial/LABSTICK"
    assert lab.census[disk].facts.items() >= {"storage.bus": "usb", "storage.size": 1 << 24}.items()

    lab.guest.qmp.unplug("stick", drive=f"medium{port}")
    lab.hears(
        {"remove scsi_generic_sg0", f"remove {disk}"}, "remove scsi_3_0_0_0", "remove scsi_target3_0_0",
        "remove scsi_host3", f"remove {interface}", f"remove {stick}",
    )  # fmt: skip


GADGET = """
modprobe dummy_hcd
modprobe libcomposite
cd /sys/kernel/config/usb_gadget
mkdir gadget
cd gadget
echo 0x1d6b >idVendor
echo 0x0104 >idProduct
mkdir strings/0x409 configs/c.1 functions/acm.0
echo LABGADGET >strings/0x409/serialnumber
ln -s functions/acm.0 configs/c.1
"""


def test_a_serial_adapter_brings_its_port_and_takes_it_along(lab: Lab) -> None:
    lab.guest(GADGET)
    lab.hears("add usb_usb3", "add usb_3_0_1_0")
    lab.guest("ls /sys/class/udc >/sys/kernel/config/usb_gadget/gadget/UDC")
    lab.hears("add usb_3_1", {"add usb_3_1_1_0", "add usb_3_1_1_1", "add tty_ttyACM0"})
    assert lab.census["usb_3_1"].identity == "usb/serial/7531:260:LABGADGET"
    assert lab.census["tty_ttyACM0"].facts["parent"] == "usb_3_1_1_0"

    lab.guest("echo >/sys/kernel/config/usb_gadget/gadget/UDC")
    lab.hears({"remove tty_ttyACM0", "remove usb_3_1_1_0", "remove usb_3_1_1_1"}, "remove usb_3_1")
    lab.guest("rmmod dummy_hcd")
    lab.hears("remove usb_3_0_1_0", "remove usb_usb3")
