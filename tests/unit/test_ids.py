"""The lists of makers and products, read where udev has no database."""

from pathlib import Path

import pytest

from hwcensus_agent.ids import MODEL, VENDOR, lookup

PCI = """#
1af4  Red Hat, Inc.
\t1041  Virtio 1.0 network device
\t# a remark
\t1042  Virtio 1.0 block device
\t\t1af4 1100  QEMU
8086  Intel Corporation
\t1041  Something else
\t1572  X710
\t\t17aa 4023  OCP

C 00  Unclassified device
\t00  Non-VGA unclassified device"""

USB = "#\n1d6b  Linux Foundation\n\t0002  2.0 root hub\nC 00  (Defined at Interface level)\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "pci.ids").write_text(PCI)
    (tmp_path / "usb.ids").write_text(USB)
    return tmp_path


@pytest.mark.parametrize(
    "modalias, vendor, model",
    [
        ("pci:v00001AF4d00001041sv00001AF4sd00001041bc02sc00i00", "Red Hat, Inc.", "Virtio 1.0 network device"),
        ("pci:v00001AF4d00001042sv00001AF4sd00001100bc01sc80i00", "Red Hat, Inc.", "Virtio 1.0 block device (QEMU)"),
        ("pci:v00008086d00001572", "Intel Corporation", "X710"),
        ("pci:v00008086d00001572sv000017AAsd00004023bc02sc00i00", "Intel Corporation", "X710 (OCP)"),
        ("pci:v00001AF4d00001572", "Red Hat, Inc.", None),
        ("pci:v00008086", "Intel Corporation", None),
        ("pci:v00001234d00001041", None, None),
        ("usb:v1D6Bp0002", "Linux Foundation", "2.0 root hub"),
        ("usb:v1D6Bp0003d0404dc00", "Linux Foundation", None),
        ("acpi:PNP0501:", None, None),
        ("pci:v", None, None),
    ],
)
def test_a_name_is_the_one_in_the_list(folder: Path, modalias: str, vendor: str | None, model: str | None) -> None:
    assert (lookup(modalias, VENDOR, (folder,)), lookup(modalias, MODEL, (folder,))) == (vendor, model)
    assert lookup(modalias, "ID_PCI_CLASS_FROM_DATABASE", (folder,)) is None


def test_a_list_in_the_first_folder_is_taken(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "usb.ids").write_text(USB.replace("Linux Foundation", "Another"))
    assert lookup("usb:v1D6Bp0002", VENDOR, (other, folder)) == "Another"
    assert lookup("pci:v00008086", VENDOR, (other, folder)) == "Intel Corporation"


@pytest.mark.parametrize("content", [b"", b"#\n1d6b  \xff\xfe\n", b"#\n1d6b"])
def test_a_list_that_is_broken_costs_no_more_than_the_name(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "usb.ids").write_bytes(content)
    assert lookup("usb:v1D6Bp0002", VENDOR, (tmp_path,)) in (None, "\ufffd\ufffd")
    assert lookup("usb:v1D6Bp0002", VENDOR, (tmp_path / "nowhere",)) is None
