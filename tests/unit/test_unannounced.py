"""What no event tells is found by looking: a size that appears, changes or goes, and nothing else."""

from pathlib import Path

from hwcensus_agent.sources import Hint
from hwcensus_agent.sources.unannounced import Unannounced


def test_a_size_that_appears_changes_or_goes_is_a_hint_and_the_same_one_is_not(tmp_path: Path) -> None:
    device = tmp_path / "devices/virtual/block/zram0"
    device.mkdir(parents=True)
    (tmp_path / "block").mkdir()
    (tmp_path / "block/zram0").symlink_to(device)
    (device / "size").write_text("0\n")
    hints: list[Hint] = []
    unannounced = Unannounced(str(tmp_path), hints.append)
    unannounced.check()
    assert hints == []
    (device / "size").write_text("16384\n")
    unannounced.check()
    unannounced.check()
    assert [hint.syspath for hint in hints] == ["/sys/devices/virtual/block/zram0"]
    (device / "size").unlink()
    unannounced.check()
    assert len(hints) == 2
