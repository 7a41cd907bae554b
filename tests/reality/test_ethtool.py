"""Drivers of this kernel, asked by ioctl in a network namespace of our own."""

import os
import platform

from hwcensus_agent.ethtool import DriverInfo, Ethtool
from tests.reality.test_rtnetlink import ip
from tests.reality.test_sources_namespace import in_namespace


@in_namespace
def test_the_kernel_answers_for_a_link_whatever_its_name_is_made_of() -> None:
    latin = os.fsdecode(b"br\xe9")
    ip(f"add {latin} type bridge")
    tool = Ethtool(latin)
    assert tool.driver() == DriverInfo(name="bridge", version="2.3", firmware="N/A")
    assert tool.permanent_address() == "00:00:00:00:00:00"
    assert "tx-generic-segmentation" in tool.features()


@in_namespace
def test_a_driver_without_a_version_has_the_kernels() -> None:
    ip("add i0 type ifb")
    assert Ethtool("i0").driver() == DriverInfo(name="ifb", version=platform.release(), firmware=None)


@in_namespace
def test_nothing_is_said_of_a_link_that_is_not_there() -> None:
    tool = Ethtool("i0")
    assert (tool.driver(), tool.permanent_address(), tool.features()) == (None, None, frozenset())
