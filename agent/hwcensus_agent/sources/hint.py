"""A hint: this device is worth another look. It says nothing about the device that the look would not tell better."""

from dataclasses import dataclass
from enum import StrEnum


class Action(StrEnum):
    """Why to look. The first eight are the kernel's own words; one that we do not know becomes `change`."""

    ADD = "add"
    CHANGE = "change"
    REMOVE = "remove"
    MOVE = "move"
    BIND = "bind"
    UNBIND = "unbind"
    ONLINE = "online"
    OFFLINE = "offline"
    RECHECK = "recheck"  # nobody said that it changed: the clock's turn has come
    ENUMERATE = "enumerate"  # list all devices anew; `syspath` is /sys


@dataclass(frozen=True, kw_only=True)
class Hint:
    """One device worth another look."""

    source: str  # name of the source
    action: Action
    syspath: str  # "/sys" and the kernel's DEVPATH, whatever the sysroot: no symlink in it
    subsystem: str | None = None
    old_syspath: str | None = None  # of a move: where the device was
    beside: str | None = None  # syspath of another device: one look is to see both, or neither as it is now
