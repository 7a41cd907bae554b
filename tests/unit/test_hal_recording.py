"""The recordings of HAL daemons are read with the types that they had on the bus."""

from pathlib import Path

from tests.fixtures import hal_recording


def test_a_recorded_device_is_a_view_that_only_hal_tells_of(tmp_path: Path) -> None:
    bridge = hal_recording.load("lab-vm")["pci_1af4_1041"]
    view = hal_recording.view(bridge, tmp_path)
    assert (view.kernel_name, view.subsystem) == ("0000:00:03.0", "pci")
    assert (view.hal("pci.vendor_id"), view.hal("pci.vendor")) == (6900, "Red Hat, Inc.")
    assert view.text("vendor") is None
