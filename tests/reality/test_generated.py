"""Hosts that cannot be: a made sysfs, spoiled in every way that Hypothesis finds, is a census like any other."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwcensus import codec, document
from hwcensus.fact import original, printable
from hwcensus_agent.census import Census, Glance
from hwcensus_agent.enumerate import enumerate_host
from hwcensus_agent.host import path_of
from hwcensus_agent.look import HostLook
from hwcensus_agent.news import News
from hwcensus_agent.settings import CensusSettings
from tests.fixtures.san import San
from tests.reality import umockdev_tree
from tests.reality.recordings import HERE
from tests.reality.sysfs_facts import check_whole, survey_of
from tests.unit.sysfs_tree import Tree

#: Where the made hosts lie: in memory, as a sysfs does.
MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None

Spoil = Callable[[Path], None]


@dataclass(frozen=True, kw_only=True)
class Whole:
    """A host with one of everything, to be copied and spoiled."""

    folder: Path
    #: What may be spoiled: devices, their attributes and links, where they are listed, what udev knows of them. (A list
    #: itself that cannot be read is no host with fewer devices: test_sources_walk.py.)
    entries: tuple[str, ...] = field(repr=False)


@pytest.fixture(scope="module", params=["fcserver", "desktop"])
def whole(request: pytest.FixtureRequest) -> Iterator[Whole]:
    with tempfile.TemporaryDirectory(dir=MEMORY) as place:
        folder = Path(place)
        umockdev_tree.build(HERE / f"{request.param}.umockdev", folder)
        patterns = ("sys/devices/**/*", "sys/class/*/*", "sys/bus/*/devices/*", "run/udev/data/*")
        entries = (str(path.relative_to(folder)) for pattern in patterns for path in folder.glob(pattern))
        yield Whole(folder=folder, entries=tuple(sorted(entries)))


def remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def content(raw: bytes) -> Spoil:
    def spoil(path: Path) -> None:
        remove(path)
        path.write_bytes(raw)

    return spoil


def link(target: str) -> Spoil:
    def spoil(path: Path) -> None:
        remove(path)
        path.symlink_to(target)

    return spoil


def folder(path: Path) -> None:
    remove(path)
    path.mkdir()


def loop(path: Path) -> None:
    remove(path)
    path.symlink_to(path.name)


#: What may stand where an attribute was: any bytes, numbers beyond all measure, too much, nothing.
CONTENTS = st.one_of(
    st.binary(max_size=40),
    st.sampled_from([b"", b"\n", b"\0\0", b"-1\n", b"0x\n", b"1e9\n", b"18446744073709551616\n", b"9" * 5000]),
    st.integers(4097, 100_000).map(lambda size: b"\xff" * size),
    st.text(max_size=20).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.lists(st.sampled_from([b"DEVTYPE=disk", b"DEVNAME=", b"MAJOR=x", b"MINOR=\xff", b"=", b"INTERFACE=a/b"]))
    .map(b"\n".join),
)  # fmt: skip
TARGETS = st.sampled_from(
    ["/", "/etc/passwd", "..", "../..", "../../../../../../../..", "nowhere", ".", "/sys/devices"]
)

SPOILS: st.SearchStrategy[Spoil] = st.one_of(
    CONTENTS.map(content), TARGETS.map(link), st.sampled_from([folder, loop, remove])
)


@settings(max_examples=12)
@given(spoiled=st.dictionaries(st.integers(0, 2000), SPOILS, min_size=1, max_size=12))
def test_a_spoiled_host_is_a_census_like_any_other(whole: Whole, spoiled: dict[int, Spoil]) -> None:
    with tempfile.TemporaryDirectory(dir=MEMORY) as place:
        host = Path(shutil.copytree(whole.folder, f"{place}/host", symlinks=True)).resolve()
        paths = {whole.entries[number % len(whole.entries)]: spoil for number, spoil in spoiled.items()}
        for path, spoil in paths.items():
            if is_within(host, (host / path).parent):
                spoil(host / path)
        holds(host / "sys", listed=all(is_attribute(whole.folder / path) for path in paths))


def is_attribute(path: Path) -> bool:
    """Neither a device nor a link: without these a look at everything and one at a path hear different things."""
    return path.is_file() and not path.is_symlink()


def is_within(host: Path, folder: Path) -> bool:
    try:
        return folder.is_dir() and folder.resolve().is_relative_to(host)
    except (OSError, RuntimeError):  # a cycle of links
        return False


def holds(sysroot: Path, *, listed: bool = True) -> None:
    """What is true of every census; `listed`: the kernel's lists tell of what is there."""
    devices = enumerate_host(sysroot=str(sysroot)).devices
    check_whole(devices)
    for one in devices:
        assert codec.read_device(document.parse(document.to_bytes(one.element))) == one.device
    nothing_changes(sysroot, by_path=listed)


def nothing_changes(sysroot: Path, *, by_path: bool = True) -> None:
    """A second look at everything, and one at every device by its path, finds nothing new."""
    look, census = HostLook(CensusSettings(sysroot=str(sysroot))), Census({})

    def news(paths: frozenset[str] | None) -> list[News]:
        seen = look(paths, census.identities(), census.names(), census.sight)
        return census.see(Glance(seen=seen.seen, paths=seen.paths, hinted={}, gone={}, moved={}))

    assert len(news(None)) == len(census)
    assert not news(None)
    assert not by_path or not news(frozenset(census.identities()))


#: Folders' names that come out equal as names of devices, or are no text at all.
KERNEL_NAMES = st.text("a._!\xe4\x01", min_size=1, max_size=4).map(lambda text: b"x" + text.encode("latin-1"))
HOMES = st.sampled_from(["net", "block", "input", "tty", "drm", "sound"])


@settings(max_examples=40)
@given(st.sets(st.tuples(HOMES, st.sampled_from(["virtual", "platform"]), KERNEL_NAMES), min_size=1, max_size=20))
def test_names_that_collide_are_told_apart_and_lead_back_to_their_folders(made: set[tuple[str, str, bytes]]) -> None:
    with tempfile.TemporaryDirectory(dir=MEMORY) as place:
        tree = Tree(Path(place))
        for number, (home, above, raw) in enumerate(sorted(made)):
            path = f"devices/{above}/{number}/{os.fsdecode(raw)}"
            tree.device(f"class/{home}", path, uevent="DEVTYPE=disk\n", size="8")
        holds(tree.sys)
        for one in enumerate_host(sysroot=str(tree.sys)).devices:
            folder = path_of(one.key)
            assert (tree.sys.parent / folder.lstrip("/")).is_dir()
            if one.name.startswith("net_"):
                assert original(str(survey_of((one,), one.name).facts["net.interface"])) == kernel_name(folder)


def kernel_name(folder: str) -> bytes:
    return os.fsencode(folder.rpartition("/")[2].replace("!", "/"))


@given(st.binary(max_size=60))
def test_what_an_attribute_says_is_in_the_document_byte_for_byte(raw: bytes) -> None:
    with tempfile.TemporaryDirectory(dir=MEMORY) as place:
        tree = Tree(Path(place))
        folder = tree.device("class/input", "devices/virtual/input/input0")
        (folder / "name").write_bytes(raw)
        (folder / "phys").write_text("something\n")
        _, one = enumerate_host(sysroot=str(tree.sys)).devices
        said = document.survey(document.parse(document.to_bytes(one.element))).facts.get("input.name")
        blank = not printable(raw).strip()
        assert (b"" if said is None else original(str(said))) == (b"" if blank else raw.strip(b" \t\n\r\0"))


def test_thousands_of_luns_are_as_many_devices() -> None:
    with tempfile.TemporaryDirectory(dir=MEMORY) as place:
        devices = enumerate_host(sysroot=str(San(Path(place)).luns(2000))).devices
    check_whole(devices)
    disks = [one for one in devices if one.name.startswith("block_")]
    assert {one.identity for one in disks} == {f"block/wwid/naa.600507680{number:023x}" for number in range(2000)}
    assert len(disks) == 2000
