"""Typed devices to XML and back, for generated devices of all classes."""

import pytest
from hypothesis import given
from lxml import etree

from hwcensus import codec, document, schema
from hwcensus.device import Device
from hwcensus.errors import InvalidDocument
from tests.unit.devices import devices


@given(devices())
def test_a_device_is_valid_xml_and_comes_back_equal(device: Device) -> None:
    written = document.to_bytes(codec.write_device(device))
    parsed = document.parse(written)
    schema.validate(parsed, "device")
    assert codec.read_device(parsed) == device


@given(devices())
def test_writing_what_was_read_gives_the_same_bytes(device: Device) -> None:
    written = document.to_bytes(codec.write_device(device))
    assert document.to_bytes(codec.write_device(codec.read_device(document.parse(written)))) == written


def test_absent_facts_are_absent_elements() -> None:
    assert document.to_bytes(codec.write_device(Device(name="x"))) == b"<device>\n  <name>x</name>\n</device>"


def test_a_capability_of_a_type_we_do_not_know_is_refused_by_name() -> None:
    element = etree.fromstring('<device><name>x</name><capability type="flux"/></device>')
    with pytest.raises(InvalidDocument, match="flux"):
        codec.read_device(element)
