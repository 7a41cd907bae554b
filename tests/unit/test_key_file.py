"""The file of the collector's private keys: made, guarded, taken through a rotation; and who follows it."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from hwcensus import key_file
from hwcensus.errors import HwcensusError
from hwcensus.signature import Signer, UnknownKey, read_public_keys, verify
from hwcensus_agent.keys import PinnedKeys
from hwcensus_collector.relay.signing import Signing


@pytest.fixture
def path(tmp_path: Path) -> Path:
    key_file.load_or_make(tmp_path / "keys" / "command-key")
    return tmp_path / "keys" / "command-key"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_a_key_is_made_for_its_owner_alone_and_its_public_half_for_all_whatever_the_umask(
    tmp_path: Path, umask: int
) -> None:
    before = os.umask(umask)
    try:
        key_file.load_or_make(tmp_path / "keys" / "key")
    finally:
        os.umask(before)
    assert [mode(tmp_path / "keys" / name) for name in ("key", "key.pub")] == [0o600, 0o644]
    assert mode(tmp_path / "keys") & 0o077 == 0


@pytest.mark.parametrize("spoilt", [0o640, 0o604, 0o620, 0o602])
def test_a_key_that_others_may_read_or_write_signs_nothing(path: Path, spoilt: int) -> None:
    path.chmod(spoilt)
    with pytest.raises(HwcensusError, match=f"mode {spoilt:04o}.*chmod 600") as error:
        Signer.load_or_make(path)
    assert error.value.code == "bad-mode"


def test_a_folder_in_which_everybody_exchanges_files_is_no_place_for_a_key(path: Path) -> None:
    path.parent.chmod(0o777)
    with pytest.raises(HwcensusError) as error:
        Signer.load_or_make(path)
    assert error.value.code == "bad-mode"
    path.parent.chmod(0o1777)
    Signer.load_or_make(path)


@pytest.mark.skipif(os.geteuid() != 0, reason="giving a file away needs root")
def test_a_key_that_belongs_to_another_signs_nothing(path: Path) -> None:
    os.chown(path, 12345, 12345)
    with pytest.raises(HwcensusError, match="user 12345") as error:
        Signer.load_or_make(path)
    assert error.value.code == "bad-mode"


def test_public_keys_that_everybody_may_write_pin_nothing(path: Path) -> None:
    public = path.with_name("command-key.pub")
    assert len(PinnedKeys(public)) == 1
    public.chmod(0o666)
    assert len(PinnedKeys(public)) == 0


def signs(signer: Signer, pinned: PinnedKeys) -> bool:
    """Whether an agent with these keys obeys this signer."""
    try:
        verify(b"<command/>", dict(signer.headers(b"<command/>")), pinned)
    except UnknownKey:
        return False
    return True


def test_a_rotation_goes_without_a_restart_and_at_no_time_unheard(tmp_path: Path, path: Path) -> None:
    centre, file = Signing(path), tmp_path / "pinned"
    file.write_text(key_file.public_lines(key_file.load(path)))
    agent = PinnedKeys(file)
    first = centre.signer()

    both = key_file.add_next(path)
    assert centre.signer().public == first.public
    file.write_text(key_file.public_lines(both))
    assert len(agent) == 2
    assert signs(centre.signer(), agent)

    key_file.switch(path)
    second = centre.signer()
    assert second.public != first.public
    assert signs(second, agent)
    assert signs(first, agent)

    file.write_text(key_file.public_lines(key_file.retire(path)))
    assert signs(centre.signer(), agent)
    assert not signs(first, agent)
    assert read_public_keys(path.with_name("command-key.pub")).keys() == agent.keys()


def test_switching_twice_is_switching_back(path: Path) -> None:
    first = Signer.load_or_make(path).public
    key_file.add_next(path)
    key_file.switch(path)
    key_file.switch(path)
    assert Signer.load_or_make(path).public == first
    assert len(read_public_keys(path.with_name("command-key.pub"))) == 2
    assert mode(path) == 0o600


@pytest.mark.parametrize("change", [key_file.switch, key_file.retire])
def test_with_one_key_there_is_nothing_to_switch_to_or_to_retire(
    path: Path, change: Callable[[Path], key_file.Keys]
) -> None:
    with pytest.raises(HwcensusError) as error:
        change(path)
    assert (error.value.code, error.value.exit_code) == ("one-key", 4)


def test_a_third_key_is_not_made(path: Path) -> None:
    key_file.add_next(path)
    with pytest.raises(HwcensusError) as error:
        key_file.add_next(path)
    assert (error.value.code, error.value.exit_code) == ("two-keys", 4)


@pytest.mark.parametrize("spoil", [Path.unlink, lambda path: path.write_text("gone"), lambda path: path.chmod(0o644)])
def test_a_running_collector_signs_on_when_its_key_file_becomes_unusable(
    path: Path, spoil: Callable[[Path], object]
) -> None:
    centre = Signing(path)
    public = centre.signer().public
    spoil(path)
    assert centre.signer().public == public


def test_remarks_stand_beside_pinned_keys(tmp_path: Path, path: Path) -> None:
    file = tmp_path / "pinned"
    file.write_text("# of the centre in Ulm\n\n" + path.with_name("command-key.pub").read_text())
    assert list(PinnedKeys(file)) == [Signer.load_or_make(path).key_id]
