"""What drivers answered in the lab, and whatever else might come in its place."""

import errno
import fcntl
from typing import NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwcensus_agent.ethtool import DriverInfo, Ethtool
from hwcensus_agent.sysfs import Unreadable
from tests.unit.recorded_links import RecordedEthtool


def test_a_driver_tells_its_name_its_version_and_the_firmware() -> None:
    assert RecordedEthtool("enp2s0").driver() == DriverInfo(name="e1000e", version="6.1.0-56-amd64", firmware="2.1-0")
    assert RecordedEthtool("enp0s4").driver() == DriverInfo(name="virtio_net", version="1.0.0", firmware=None)


def test_the_permanent_address_is_the_hardwares_whatever_is_set() -> None:
    assert RecordedEthtool("enp2s0").permanent_address() == "52:54:00:12:34:57"
    assert RecordedEthtool("bond1").permanent_address() == "00:00:00:00:00:00"


def test_features_have_the_kernels_names() -> None:
    """Those that are on in `ethtool -k enp2s0`, run beside the recording."""
    assert RecordedEthtool("enp2s0").features() == {
        "highdma", "rx-checksum", "rx-gro", "rx-hashing", "rx-vlan-filter", "rx-vlan-hw-parse",
        "tx-checksum-ip-generic", "tx-generic-segmentation", "tx-scatter-gather", "tx-tcp-segmentation",
        "tx-tcp6-segmentation", "tx-vlan-hw-insert",
    }  # fmt: skip


class Answering(Ethtool):
    """A kernel that fills what it was given with any bytes."""

    filling = b""

    def _ask(self, request: bytes) -> bytes | None:
        return (request[:4] + self.filling + bytes(len(request)))[: len(request)]


@given(st.binary(max_size=300))
def test_any_answer_is_some_driver(filling: bytes) -> None:
    tool = Answering("eth0")
    tool.filling = filling
    assert tool.driver() is not None
    tool.permanent_address()
    tool.features()


def test_an_answer_of_more_features_than_there_can_be_is_none() -> None:
    tool = Answering("eth0")
    tool.filling = b"\xff" * 300
    assert tool.features() == frozenset()


@pytest.mark.parametrize("code", [errno.EOPNOTSUPP, errno.ENODEV, errno.EINVAL, errno.ENOTTY])
def test_what_a_driver_does_not_know_is_none(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    refuse(monkeypatch, code)
    tool = Ethtool("lo")
    assert (tool.driver(), tool.permanent_address(), tool.features()) == (None, None, frozenset())


def test_any_other_error_is_a_fact_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    refuse(monkeypatch, errno.EIO)
    with pytest.raises(Unreadable, match="Input/output error"):
        Ethtool("lo").permanent_address()


def refuse(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    def ioctl(*_: object) -> NoReturn:
        raise OSError(code, "Input/output error")

    monkeypatch.setattr(fcntl, "ioctl", ioctl)


@pytest.mark.parametrize("name", ["", "a" * 16, "no such"])
def test_a_name_that_no_interface_has_is_asked_in_vain(name: str) -> None:
    assert Ethtool(name).permanent_address() is None
