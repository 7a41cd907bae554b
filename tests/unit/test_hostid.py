"""Who this host is, whatever bytes its makers left in the firmware; and what is no file of keys."""

from pathlib import Path

import pytest
from lxml import etree

from hwcensus.envelope import write_attributes
from hwcensus.event import Evidence
from hwcensus_agent import hostid
from hwcensus_agent.keys import PinnedKeys


@pytest.mark.parametrize("raw, told", [(b"CN\x01 7\xff\n", r"CN\x01 7\xff"), (b"To be filled by O.E.M.", None)])
def test_a_board_serial_of_strange_bytes_can_be_told(tmp_path: Path, raw: bytes, told: str | None) -> None:
    folder = tmp_path / "class" / "dmi" / "id"
    folder.mkdir(parents=True)
    (folder / "board_serial").write_bytes(raw)
    found = hostid.evidence(sysroot=str(tmp_path), machine_id=tmp_path / "none")
    assert found == Evidence(board_serial=told)
    write_attributes(etree.Element("evidence"), found)


def test_a_file_of_other_bytes_pins_no_key(tmp_path: Path) -> None:
    (tmp_path / "keys").write_bytes(b"\xff\xfe\x00")
    assert len(PinnedKeys(tmp_path / "keys")) == 0
