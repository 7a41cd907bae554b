"""Sound, serial ports, cards and the long tail of recorded hosts: what is there, with its facts."""

from hwcensus.document import JsonValue
from hwcensus_agent.enumerate import Described, enumerate_host
from tests.reality.recordings import sysroot_of
from tests.reality.sysfs_facts import survey_of


def look(recording: str) -> tuple[Described, ...]:
    return enumerate_host(sysroot=str(sysroot_of(recording))).devices


def facts(devices: tuple[Described, ...], name: str) -> dict[str, JsonValue]:
    survey = survey_of(devices, name)
    return {**survey.facts, **survey.state}


def names(devices: tuple[Described, ...], *subsystems: str) -> set[str]:
    return {one.name for one in devices if one.subsystem in subsystems}


def test_the_t60_has_one_card_with_four_nodes() -> None:
    devices = look("systemd-thinkpad-t60")
    nodes = {"sound_controlC0", "sound_pcmC0D0c", "sound_pcmC0D0p", "sound_pcmC0D1p"}
    assert names(devices, "sound") == {"sound_card0", *nodes}
    assert facts(devices, "sound_pcmC0D0c") == {
        "sound.card": 0, "alsa.type": "capture", "alsa.device": 0, "alsa.pcm_class": "generic",
    }  # fmt: skip


def test_the_t60_has_a_battery_a_clock_a_radio_and_the_port_of_a_telephone() -> None:
    devices = look("systemd-thinkpad-t60")
    assert facts(devices, "power_supply_BAT0") == {
        "power_supply.type": "Battery", "power_supply.vendor": "SANYO", "power_supply.model": "42T5245",
        "power_supply.serial": "6463", "power_supply.technology": "Li-ion", "power_supply.status": "Discharging",
        "power_supply.present": True,
    }  # fmt: skip
    assert facts(devices, "power_supply_AC") == {"power_supply.type": "Mains", "power_supply.online": False}
    assert facts(devices, "rtc_rtc0") == {"rtc.name": "rtc_cmos"}
    assert facts(devices, "ieee80211_phy0") == {"ieee80211.address": "00:19:d2:75:ae:d1"}
    assert names(devices, "tty") == {"tty_ttyACM0"}
    assert facts(devices, "tty_ttyACM0") == {"tty.type": "usb", "tty.line": 0}


def test_a_server_has_an_infiniband_adapter() -> None:
    assert facts(look("hwloc-40intel64-2g2n4c+pci"), "infiniband_qib0") == {
        "rdma.node_type": "1: CA", "rdma.guid": "001175000077cfc8",
        "rdma.image_guid": "001175000077cfc8", "rdma.model": "InfiniPath_QLE7340",
        "rdma.board": "InfiniPath_QLE7340", "rdma.revision": "2", "rdma.serial": "RIB1051C68315",
    }  # fmt: skip


def test_a_graphics_card_has_nodes_and_its_connector_is_none() -> None:
    devices = look("hwloc-2pa-pcidomain32bits")
    assert names(devices, "drm") == {"drm_card0", "drm_controlD64"}
    assert facts(devices, "drm_card0") == {"drm.type": "primary"}


def test_a_desktop_has_a_camera_a_card_in_its_slot_and_a_serial_adapter() -> None:
    devices = look("desktop")
    assert facts(devices, "video4linux_video0") == {"video4linux.name": "USB 2.0 Camera"}
    card = facts(devices, "mmc_mmc0_b368")
    assert (card["mmc.vendor"], card["mmc.product_name"], card["mmc.serial"]) == (2, "SD08G", "0x1a2b3c4d")
    assert (card["mmc.address.host"], card["mmc.address.card"]) == (0, "b368")
    assert names(devices, "tty") == {"tty_ttyUSB0"}
