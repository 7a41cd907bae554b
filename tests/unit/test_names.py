"""The rule of names, a line each."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwcensus.names import assign_names, device_name, told_apart


@pytest.mark.parametrize(
    "subsystem, kernel_name, name",
    [
        ("pci", "0000:00:1f.3", "pci_0000_00_1f_3"),
        ("usb", "1-1.5", "usb_1_1_5"),
        ("usb", "1-1.5:1.0", "usb_1_1_5_1_0"),
        ("usb", "usb1", "usb_usb1"),
        ("net", "eth0", "net_eth0"),
        ("scsi", "host5", "scsi_host5"),
        ("scsi", "target0:0:0", "scsi_target0_0_0"),
        ("scsi", "0:0:0:0", "scsi_0_0_0_0"),
        ("block", "sda1", "block_sda1"),
        ("block", "cciss/c0d0", "block_cciss_c0d0"),
        ("nvme", "nvme0", "nvme_nvme0"),
        ("input", "event3", "input_event3"),
        ("net", "ä0", "net___0"),
        ("net", "\udcff0", "net__0"),
    ],
)
def test_a_name_is_subsystem_and_kernel_name_with_all_else_underlined(
    subsystem: str, kernel_name: str, name: str
) -> None:
    assert device_name(subsystem, kernel_name) == name


DOT, LINE = ("/net/br.0", "net", "br.0"), ("/net/br_0", "net", "br_0")


def test_the_later_seen_of_two_equal_names_gets_digits_of_its_kernel_name() -> None:
    assert assign_names([DOT, LINE], {}) == {"/net/br.0": "net_br_0", "/net/br_0": told_apart("net_br_0", "br_0")}
    assert told_apart("net_br_0", "br_0") == "net_br_0__c0ec"


def test_names_once_given_stay_whatever_the_order() -> None:
    given_names = assign_names([DOT, LINE], {})
    assert assign_names([LINE, DOT], given_names) == given_names
    assert assign_names([LINE], given_names) == {LINE[0]: given_names[LINE[0]]}


def test_a_device_that_is_not_looked_at_keeps_its_name_from_others() -> None:
    assert assign_names([LINE], {}, {"/net/br.0": "net_br_0"}) == {"/net/br_0": told_apart("net_br_0", "br_0")}


def test_a_renamed_device_gets_the_name_that_its_kernel_name_gives() -> None:
    assert assign_names([("/net/x", "net", "eth1")], {"/net/x": "net_eth0"}) == {"/net/x": "net_eth1"}


def test_devices_of_one_kernel_name_are_told_apart_by_their_paths() -> None:
    subjects = [(f"/net/{folder}/br_0", "net", "br_0") for folder in "abc"]
    first, second, third = assign_names(subjects, {}).values()
    assert (first, second) == ("net_br_0", told_apart("net_br_0", "br_0"))
    assert third == "net_br_0__ab3399b1"


@given(st.lists(st.text("ab._", min_size=1, max_size=3)))
def test_names_are_unique_and_stable(kernel_names: list[str]) -> None:
    subjects = [(f"/net/{number}/{name}", "net", name) for number, name in enumerate(kernel_names)]
    names = assign_names(subjects, {})
    assert len(set(names.values())) == len(subjects)
    assert assign_names(subjects[::-1], names) == names
