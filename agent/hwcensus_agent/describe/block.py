"""Block devices: the node and what is on it, partitions, and those that software makes (kernel ABI sysfs-block).

What the drive itself is, is in `storage.py`. The device itself is not read: file systems are as udev's blkid saw them.
"""

import re
from collections.abc import Callable, Mapping

from hwcensus.classes.block import (
    Bcache,
    BcacheState,
    Block,
    BlockState,
    Dm,
    DmState,
    Loop,
    Md,
    MdState,
    Volume,
    Zram,
)
from hwcensus.device import Capability
from hwcensus_agent.describe import storage
from hwcensus_agent.describe.description import Description
from hwcensus_agent.describe.drive_ids import decoded, on_a_san
from hwcensus_agent.describe.facts import (
    Facts,
    From,
    first,
    flag,
    hal,
    number,
    stated,
    text,
    udev,
    uevent,
    unless,
    worked_out,
)
from hwcensus_agent.host import HostView
from hwcensus_agent.view import View

SECTOR = 512  # bytes: sysfs counts in these whatever the device's own block size

#: Kinds of which the kernel makes some in advance, to be given a size when somebody needs one.
_MADE_IN_ADVANCE = re.compile(r"(loop|ram|zram)\d+")


def node(part: int, key: str) -> From:
    """Major or minor number of the node."""

    def read(view: View, _: HostView) -> int | None:
        found = view.text("dev")
        return None if found is None else int(found.split(":")[part])

    return first(stated(read, sysfs="`dev`"), hal(key))


@worked_out(sysfs="`size` times 512; of an optical drive it is the medium's, and state")
def size(view: View, _: HostView) -> int | None:
    found = int(view.text("size") or 0) * SECTOR
    return found if found and not storage.is_optical(view) else None


@worked_out(udev="`ID_FS_LABEL_ENC`")
def label(view: View, _: HostView) -> str | None:
    return decoded(view.udev("ID_FS_LABEL_ENC"))


@worked_out(sysfs="names in the folder `slaves`")
def slaves(view: View, host: HostView) -> tuple[str, ...]:
    targets = (view.link(f"slaves/{name}") for name in view.children("", "slaves"))
    return tuple(sorted(name for target in targets if (name := host.name_of(target)) is not None))


@worked_out(sysfs="`partition`", path="the end of the kernel's name")
def partition_number(view: View, _: HostView) -> int | None:
    found = view.text("partition") or view.kernel_name[len(view.kernel_name.rstrip("0123456789")) :]
    return int(found) if found else None


def chosen(attribute: str) -> From:
    """Of several words the one in brackets."""

    def read(view: View, _: HostView) -> str | None:
        found = re.search(r"\[(.+?)\]", view.text(attribute) or "")
        return None if found is None else found[1]

    return stated(read, sysfs=f"`{attribute}`, the one in brackets")


def reshaped(attribute: str) -> From:
    """A number of an array; while that is reshaped the kernel has the former one behind it, `4 (3)`."""

    def read(view: View, _: HostView) -> int | None:
        found = int((view.text(attribute) or "0").partition(" (")[0])
        return found if found > 0 else None

    return stated(read, sysfs=f"`{attribute}`, while it is reshaped what it is to be")


@worked_out(sysfs="`md/uuid`, as mdadm writes it")
def array_uuid(view: View, _: HostView) -> str | None:
    digits = (view.text("md/uuid") or "").replace("-", "").lower()
    return ":".join(re.findall("[0-9a-f]{8}", digits)) if digits.strip("0") else None


BLOCK = Facts(
    Block,
    major=node(0, "block.major"),
    minor=node(1, "block.minor"),
    size=first(size, hal("volume.size", least=1), hal("storage.size", least=1)),
    read_only=flag("ro"),
)

STATE = Facts(
    BlockState,
    Block,
    filesystem=first(udev("ID_FS_TYPE"), hal("volume.fstype")),
    label=first(label, hal("volume.label")),
    uuid=first(udev("ID_FS_UUID"), hal("volume.uuid")),
    slave=slaves,
)

PART_UUID = first(udev("ID_PART_ENTRY_UUID"), uevent("PARTUUID"), hal("volume.partition.uuid"))

VOLUME = Facts(
    Volume,
    number=first(partition_number, hal("volume.partition.number")),
    start=first(number("start", times=SECTOR), hal("volume.partition.start")),
    partition_type=first(udev("ID_PART_ENTRY_TYPE"), hal("volume.partition.type")),
    uuid=PART_UUID,
    uuid_san=on_a_san(PART_UUID),
)

LOOP = Facts(
    Loop,
    backing_file=text("loop/backing_file"),
    offset=number("loop/offset"),
    size_limit=number("loop/sizelimit", least=1),
)
ZRAM = Facts(Zram, algorithm=chosen("comp_algorithm"), backing_device=unless("none", text("backing_dev")))
DM = Facts(Dm, name=text("dm/name"), uuid=text("dm/uuid"), uuid_san=on_a_san(text("dm/uuid")))
DM_STATE = Facts(DmState, Dm, suspended=flag("dm/suspended"))
MD = Facts(
    Md,
    level=text("md/level"),
    disks=reshaped("md/raid_disks"),
    chunk=reshaped("md/chunk_size"),
    metadata=unless("none", text("md/metadata_version")),
    uuid=first(udev("MD_UUID"), array_uuid),
)
MD_STATE = Facts(MdState, Md, degraded=number("md/degraded"))
BCACHE = Facts(
    Bcache, mode=chosen("bcache/cache_mode"), label=text("bcache/label"), uuid=text("bcache/backing_dev_uuid")
)
BCACHE_STATE = Facts(BcacheState, Bcache, cache=text("bcache/state"))

#: What software makes of a block device, by the beginning of the kernel's name and a folder or attribute.
MADE: Mapping[tuple[str, str], Callable[[View, HostView], Capability | None]] = {
    ("loop", "loop"): LOOP.of,
    ("zram", "comp_algorithm"): ZRAM.of,
    ("dm-", "dm"): lambda view, host: DM.of(view, host, state=DM_STATE.of(view, host)),
    ("md", "md"): lambda view, host: MD.of(view, host, state=MD_STATE.of(view, host)),
    ("bcache", "bcache"): lambda view, host: BCACHE.of(view, host, state=BCACHE_STATE.of(view, host)),
}


def describe_disk(view: View, host: HostView) -> Description | None:
    if view.text("hidden") == "1" or (_is_made_in_advance(view) and int(view.text("size") or 0) == 0):
        return None
    name = view.kernel_name
    made = next(
        (of(view, host) for (named, sign), of in MADE.items() if name.startswith(named) and view.has(sign)), None
    )
    return Description(capabilities=_present(storage.describe(view, host), _block(view, host, made)))


def describe_partition(view: View, host: HostView) -> Description:
    return Description(capabilities=_present(_block(view, host, VOLUME.of(view, host))))


def _block(view: View, host: HostView, nested: Capability | None) -> Block | None:
    return BLOCK.of(view, host, nested=(nested,), state=STATE.of(view, host))


def _is_made_in_advance(view: View) -> bool:
    return _MADE_IN_ADVANCE.fullmatch(view.kernel_name) is not None


def _present(*capabilities: Capability | None) -> tuple[Capability, ...]:
    return tuple(one for one in capabilities if one is not None)
