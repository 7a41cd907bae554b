"""What is read once while a device is present, because asking costs it: vital product data takes some devices seconds.

Present is as long as the kernel's file of it is the same one. What could not be read, and what a sleeping device would
have said, is asked for again with the next look.
"""

import os
from collections import OrderedDict
from collections.abc import Callable
from typing import TypeVar, cast

from hwcensus_agent.sysfs import ABSENT, Unreadable
from hwcensus_agent.view import View

T = TypeVar("T")

#: Answers that are kept, some hundred bytes each.
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
    if key in _kept:
        return cast("T | None", _kept[key])
    if view.text("power/runtime_status") == "suspended":
        raise Unreadable(f"{view.syspath} sleeps, and is not woken for its {attribute}")
    found = view.opened(attribute, read)
    _kept[key] = found
    if len(_kept) > MOST:
        _kept.popitem(last=False)
    return found
