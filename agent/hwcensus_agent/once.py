"""What is read once while a device is present, because asking costs it: vital product data takes some devices seconds.

Present is as long as the kernel's folder of the device is the same one. What cannot be read is not asked for again
either, but what a sleeping device would have said is.
"""

import os
from collections import OrderedDict
from collections.abc import Callable
from typing import TypeVar, cast

from hwcensus_agent.sysfs import ABSENT, Unreadable
from hwcensus_agent.view import View

T = TypeVar("T")

#: Devices whose answers are kept, some hundred bytes each.
MOST = 16384

_kept: OrderedDict[tuple[str, int], object] = OrderedDict()


def once(view: View, attribute: str, read: Callable[[int], T]) -> T | None:
    """What `read` makes of the open attribute, now or when it was first asked for; None where there is no attribute.

    Raises Unreadable, also for a device that sleeps: reading would wake it.
    """
    path = view.path(attribute)
    try:
        key = (path, os.stat(path).st_ino)  # noqa: PTH116
    except OSError as error:
        if error.errno in ABSENT:
            return None
        raise Unreadable(f"{path}: {error.strerror}") from error
    if key not in _kept:
        if view.text("power/runtime_status") == "suspended":
            raise Unreadable(f"{view.syspath} sleeps, and is not woken for its {attribute}")
        _kept[key] = _answer(path, read)
        if len(_kept) > MOST:
            _kept.popitem(last=False)
    found = _kept[key]
    if isinstance(found, Unreadable):
        raise found
    return cast("T | None", found)


def _answer(path: str, read: Callable[[int], T]) -> T | Unreadable | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return read(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        return None if error.errno in ABSENT else Unreadable(f"{path}: {error.strerror}")
