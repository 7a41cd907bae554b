"""A collector's API with a small census behind it, for all tests of the command line."""

import subprocess
from collections.abc import Iterator

import pytest
from sqlalchemy import update

from hwcensus_collector import tables
from tests.e2e.cli_world import EVIL, Run, command
from tests.fixtures.process import program_environment
from tests.wire.census_world import BEGAN, World, after, bridge, computer, hba, lun, net, pci, served, vport, world


@pytest.fixture
def census(sqlite_url: str) -> Iterator[World]:
    with world(sqlite_url) as made:
        made.host("a1", "web17")
        for xml in (computer(), pci(vendor=EVIL), net("eth0", parent="pci_0000_00_1f_3"), bridge("hwc0")):
            made.tell("a1", xml, BEGAN)
        made.tell("a1", bridge("hwc0", stp="yes"), after(hours=1))
        yield made


@pytest.fixture
def url(census: World) -> Iterator[str]:
    with served(census.engine) as url:
        yield url


@pytest.fixture
def hwcensus(url: str) -> Run:
    """Runs the command to its end."""

    def run(*words: str, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        env = program_environment(HWCENSUS_URL=url, **environment)
        return subprocess.run(
            command(*words), input=stdin, capture_output=True, text=True, env=env, timeout=60, check=False
        )

    return run


@pytest.fixture
def san(census: World) -> World:
    """A host with an adapter, a virtual port on it, and two LUNs behind that."""
    census.host("a2", "db7")
    online = hba().replace("</capability></capability>", '<state port="Online"/></capability></capability>')
    for xml in (computer(), online, vport(), lun(1), lun(2)):
        census.tell("a2", xml, BEGAN)
    with census.engine.begin() as connection:
        connection.execute(update(tables.host).where(tables.host.c.id == "a2").values(creatable=["vport"]))
    return census
