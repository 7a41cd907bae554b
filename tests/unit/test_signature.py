"""Signatures of commands, and the files that keys live in."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hwcensus.errors import HwcensusError
from hwcensus.signature import BadSignature, Signer, key_id, read_public_keys, verify


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    return Signer.load_or_make(tmp_path / "keys" / "command-key")


def test_what_was_signed_is_verified_by_the_pinned_file(tmp_path: Path, signer: Signer) -> None:
    keys = read_public_keys(tmp_path / "keys" / "command-key.pub")
    verify(b"<command/>", dict(signer.headers(b"<command/>")), keys)


def test_the_private_key_is_its_owners_alone_and_stays_the_same(tmp_path: Path, signer: Signer) -> None:
    path = tmp_path / "keys" / "command-key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert Signer.load_or_make(path).public == signer.public


def test_several_that_start_at_once_make_one_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(lambda _: Signer.load_or_make(tmp_path / "key").public, range(8)))
    assert len(set(made)) == 1
    assert read_public_keys(tmp_path / "key.pub") == {key_id(made[0]): made[0]}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["key", "key.pub"]


def test_the_public_half_beside_a_key_that_was_exchanged_is_made_anew(tmp_path: Path, signer: Signer) -> None:
    other = Signer.load_or_make(tmp_path / "other")
    (tmp_path / "other").replace(tmp_path / "keys" / "command-key")
    assert Signer.load_or_make(tmp_path / "keys" / "command-key").public == other.public
    assert list(read_public_keys(tmp_path / "keys" / "command-key.pub").values()) == [other.public]


def test_one_changed_byte_is_noticed(signer: Signer) -> None:
    with pytest.raises(BadSignature, match="does not fit"):
        verify(b"<Command/>", dict(signer.headers(b"<command/>")), {key_id(signer.public): signer.public})


def test_a_key_that_is_not_pinned_is_named(tmp_path: Path, signer: Signer) -> None:
    other = Signer.load_or_make(tmp_path / "other")
    with pytest.raises(BadSignature, match=key_id(other.public)):
        verify(b"x", dict(other.headers(b"x")), {key_id(signer.public): signer.public})


@pytest.mark.parametrize("signature", [b"", b"AAAA", b"not base64!", b"\xff"])
def test_a_signature_that_is_none_is_refused(signer: Signer, signature: bytes) -> None:
    headers = dict(signer.headers(b"x")) | {"signature": signature}
    with pytest.raises(BadSignature):
        verify(b"x", headers, {key_id(signer.public): signer.public})


def test_a_record_without_headers_is_refused(signer: Signer) -> None:
    with pytest.raises(BadSignature, match="none"):
        verify(b"x", {}, {key_id(signer.public): signer.public})


def test_two_keys_are_pinned_for_a_rotation(tmp_path: Path, signer: Signer) -> None:
    other = Signer.load_or_make(tmp_path / "other")
    lines = (tmp_path / "keys" / "command-key.pub").read_text() + (tmp_path / "other.pub").read_text()
    (tmp_path / "pinned").write_text(lines)
    keys = read_public_keys(tmp_path / "pinned")
    for one in (signer, other):
        verify(b"x", dict(one.headers(b"x")), keys)


@pytest.mark.parametrize("text", ["AAAA", "!!", "-----BEGIN PUBLIC KEY-----"])
def test_a_line_that_is_no_key_is_a_named_mistake(tmp_path: Path, text: str) -> None:
    (tmp_path / "pinned").write_text(text)
    with pytest.raises(HwcensusError) as error:
        read_public_keys(tmp_path / "pinned")
    assert error.value.code == "bad-key"


def test_a_file_that_holds_no_private_key_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("mine")
    (tmp_path / "key").chmod(0o600)
    with pytest.raises(HwcensusError) as error:
        Signer.load_or_make(tmp_path / "key")
    assert error.value.code == "bad-key"
    assert (tmp_path / "key").read_text() == "mine"
