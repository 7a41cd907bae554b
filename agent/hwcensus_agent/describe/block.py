"""Block devices: the node and what is on it, partitions, and those that software makes (kernel ABI sysfs-block).

What the drive itself is, is in `storage.py`. The device itself is not read: file systems are as udev's blkid saw them.
"""

import re

from hwcensus.classes.block import Block, BlockState, Dm, Loop, Md, Volume, Zram
from hwcensus.device import Capability
from hwcensus_agent.describe import storage
from hwcensus_agent.describe.description import Description
from hwcensus_agent.describe.facts import Facts, From, first, flag, number, stated, text, udev, uevent, worked_out
from hwcensus_agent.host import HostView
from hwcensus_agent.view import View

SECTOR = 512  # bytes: sysfs counts in these whatever the device's own block size

#: Kinds of which the kernel makes some in advance, to be given a size when somebody needs one.
_MADE_IN_ADVANCE = re.compile(r"(loop|ram|zram)\d+")


def node(part: int) -> From:
    """Major or minor number of the node."""

    def read(view: View, _: HostView) -> int | None:
        found = view.text("dev")
        return None if found is None else int(found.split(":")[part])

    return stated(read, sysfs="`dev`")


@worked_out(sysfs="`size` times 512; of an optical drive it is the medium's, and state")
def size(view: View, _: HostView) -> int | None:
    found = int(view.text("size") or 0) * SECTOR
    return found if found and not storage.is_optical(view) else None


@worked_out(udev="`ID_FS_LABEL_ENC`")
def label(view: View, _: HostView) -> str | None:
    return storage.decoded(view.udev("ID_FS_LABEL_ENC"))


@worked_out(sysfs="`partition`", path="the end of the kernel's name")
def partition_number(view: View, _: HostView) -> int | None:
    found = view.text("partition") or view.kernel_name[len(view.kernel_name.rstrip("0123456789")) :]
    return int(found) if found else None


@worked_out(sysfs="`comp_algorithm`, the one in brackets")
def algorithm(view: View, _: HostView) -> str | None:
    found = re.search(r"\[(.+?)\]", view.text("comp_algorithm") or "")
    return None if found is None else found[1]


BLOCK = Facts(Block, major=node(0), minor=node(1), size=size, read_only=flag("ro"))

STATE = Facts(BlockState, Block, filesystem=udev("ID_FS_TYPE"), label=label, uuid=udev("ID_FS_UUID"))

VOLUME = Facts(
    Volume,
    number=partition_number,
    start=number("start", times=SECTOR),
    partition_type=udev("ID_PART_ENTRY_TYPE"),
    uuid=first(udev("ID_PART_ENTRY_UUID"), uevent("PARTUUID")),
)

#: What software makes of a block device, by the folder or attribute that only this kind has.
MADE: dict[str, Facts[Loop] | Facts[Zram] | Facts[Dm] | Facts[Md]] = {
    "loop": Facts(Loop, backing_file=text("loop/backing_file"), offset=number("loop/offset")),
    "comp_algorithm": Facts(Zram, algorithm=algorithm),
    "dm": Facts(Dm, name=text("dm/name"), uuid=text("dm/uuid")),
    "md": Facts(Md, level=text("md/level"), uuid=udev("MD_UUID")),
}


def describe_disk(view: View, host: HostView) -> Description | None:
    if view.text("hidden") == "1" or (_is_made_in_advance(view) and int(view.text("size") or 0) == 0):
        return None
    made = next((facts.of(view, host) for sign, facts in MADE.items() if view.has(sign)), None)
    return Description(capabilities=_present(storage.describe(view, host), _block(view, host, made)))


def describe_partition(view: View, host: HostView) -> Description:
    return Description(capabilities=_present(_block(view, host, VOLUME.of(view, host))))


def _block(view: View, host: HostView, nested: Capability | None) -> Block | None:
    return BLOCK.of(view, host, nested=(nested,), state=STATE.of(view, host))


def _is_made_in_advance(view: View) -> bool:
    return _MADE_IN_ADVANCE.fullmatch(view.kernel_name) is not None


def _present(*capabilities: Capability | None) -> tuple[Capability, ...]:
    return tuple(one for one in capabilities if one is not None)
