"""docs/protocol.md is true: its specimens parse, validate and are written again byte for byte; its digests fit."""

import re
from pathlib import Path

import pytest

from hwcensus import census_digest, document, schema
from hwcensus.command import read_command
from hwcensus.event import TYPES, read_event

PAGE = Path(__file__).parents[2].joinpath("docs/protocol.md").read_text()
BLOCKS = re.findall(r"```xml\n(.*?)\n```", PAGE, re.DOTALL)
EVENTS = [block for block in BLOCKS if block.startswith("<event")]
COMMANDS = [block for block in BLOCKS if block.startswith("<command")]
VECTORS = re.findall(
    r"Identity `([^`]+)`, digest `([0-9a-f]{64})`, state hash `([0-9a-f]{64})`:\n\n```xml\n(.*?)\n```", PAGE, re.DOTALL
)


@pytest.mark.parametrize("text", EVENTS, ids=lambda text: text[24:60])
def test_every_event_of_the_page_is_read_and_written_the_same(text: str) -> None:
    assert read_event(text.encode()).to_bytes().decode() == text


@pytest.mark.parametrize("text", COMMANDS, ids=lambda text: text[24:60])
def test_every_command_of_the_page_is_read_and_written_the_same(text: str) -> None:
    assert read_command(text.encode()).to_bytes().decode() == text


def test_the_page_has_a_specimen_of_every_type_of_event() -> None:
    assert {read_event(text.encode()).type_ for text in EVENTS} == set(TYPES)


@pytest.mark.parametrize("identity, digest, state_hash, text", VECTORS)
def test_the_digests_of_the_page_fit_their_documents(identity: str, digest: str, state_hash: str, text: str) -> None:
    device = document.parse(text.encode())
    schema.validate(device, "device")
    parts = document.take_apart(device)
    assert (parts.digest.hex(), parts.state_hash.hex()) == (digest, state_hash)


def test_the_set_digests_of_the_page_are_the_sums_over_its_documents() -> None:
    assert len(VECTORS) == 2
    for number, title in ((1, "set digest of the two is"), (2, "state digest")):
        total = census_digest.total((vector[0], bytes.fromhex(vector[number])) for vector in VECTORS)
        assert f"{title} `{census_digest.write_total(total)}`" in PAGE


def test_what_the_page_says_is_hashed_is_hashed() -> None:
    (text,) = re.findall(r"these bytes are hashed for the digest:\n\n```xml\n(.*?)\n```", PAGE, re.DOTALL)
    assert document.take_apart(document.parse(VECTORS[1][3].encode())).facts.decode() == text
