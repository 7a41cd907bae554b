"""Where "something changed" comes from: hints that a device is worth another look, and gaps when hints were lost.

A source describes nothing. One leads a host (`lead.py`); adding one of the others is a file and a line in SOURCES.
"""

from collections.abc import Callable, Mapping

from hwcensus_agent.sources.clock import ClockSource
from hwcensus_agent.sources.hint import Action, Hint
from hwcensus_agent.sources.rtnetlink import RtnetlinkSource
from hwcensus_agent.sources.source import OnGap, OnHint, Source, Watch
from hwcensus_agent.sources.udev import UdevSource
from hwcensus_agent.sources.walk import Found, walk

__all__ = [
    "SOURCES",
    "Action",
    "ClockSource",
    "Found",
    "Hint",
    "OnGap",
    "OnHint",
    "RtnetlinkSource",
    "Source",
    "UdevSource",
    "Watch",
    "walk",
]

#: Those beside the leading one: what it does not tell.
SOURCES: Mapping[str, Callable[[Watch], Source]] = {
    "rtnetlink": lambda watch: RtnetlinkSource(sysroot=watch.sysroot, receive_buffer=watch.receive_buffer),
    "clock": lambda watch: ClockSource(interval=watch.recheck_every, known=watch.known, checks=watch.checks),
}
