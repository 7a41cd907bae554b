"""A device's facts by their paths as they are now: the current address of an interface before its permanent one."""

from collections.abc import Mapping

from hwcensus import codec, document
from hwcensus.device import Device
from hwcensus.document import JsonValue


def facts_now(device: Device) -> Mapping[str, JsonValue]:
    found = document.survey(codec.write_device(device))
    return {**found.facts, **found.state}
