"""What HAL alone says where nothing else does: no sysfs, and a path that tells no numbers."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from hwcensus import codec, document
from hwcensus.device import Device
from hwcensus.document import JsonValue
from hwcensus_agent.describe import block, input, pci, scsi, scsihost
from hwcensus_agent.describe.description import Describer
from hwcensus_agent.view import HalValue
from tests.fixtures import hal_recording

NOWHERE = {"linux.sysfs_path": "/sys/devices/somewhere"}


@pytest.mark.parametrize(
    "describer, said, expected",
    [
        (scsihost.describe, {"scsi_host.host": 5}, {"scsihost.host": 5}),
        (
            scsi.describe_unit,
            {"scsi.host": 5, "scsi.bus": 1, "scsi.target": 2, "scsi.lun": 3},
            {"scsi.host": 5, "scsi.bus": 1, "scsi.target": 2, "scsi.lun": 3},
        ),
        (
            block.describe_partition,
            {"volume.partition.number": 3, "volume.partition.type": "0x83", "volume.partition.uuid": "0fc63daf-03"},
            {"volume.number": 3, "volume.type": "0x83", "volume.uuid": "0fc63daf-03"},
        ),
        (
            pci.describe,
            {"linux.sysfs_path": "/sys/devices/pci0000:00/0000:00:1f.2", "pci.vendor_id": 32902,
             "pci.product_id": 10181, "pci.subsys_product": "ThinkPad T60"},
            {"pci.subsystem_name": "ThinkPad T60"},
        ),
        (input.describe, {"linux.sysfs_path": "/sys/class/input/event1", "input.device": "/dev/input/event1"},
         {"input.node": "/dev/input/event1"}),
    ],
    ids=["host", "unit", "partition", "board", "node"],
)  # fmt: skip
def test_a_fact_is_hals_where_nobody_else_has_it(
    tmp_path: Path, describer: Describer, said: Mapping[str, HalValue], expected: dict[str, JsonValue]
) -> None:
    found = describer(hal_recording.view({**NOWHERE, **said}, tmp_path), hal_recording.host(tmp_path))
    assert found is not None
    facts = document.survey(codec.write_device(Device(name="x", bus=found.bus, capabilities=found.capabilities))).facts
    assert {path: facts.get(path) for path in expected} == expected
