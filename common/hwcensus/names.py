"""Names of devices: `<subsystem>_<kernel name>` with every byte but ASCII letters and digits turned into `_`.

Known from sysfs path and subsystem alone, so that udev, HAL, a bare kernel and a remove event all give the same.
"""

import hashlib
import re
from collections.abc import Mapping

COMPUTER = "computer"

_OTHER_BYTE = re.compile(rb"[^A-Za-z0-9]")


def device_name(subsystem: str, kernel_name: str) -> str:
    """The name of a device of this subsystem whose sysfs folder is called `kernel_name`."""
    return _OTHER_BYTE.sub(b"_", f"{subsystem}_{kernel_name}".encode("utf-8", "surrogateescape")).decode("ascii")


def told_apart(name: str, kernel_name: str) -> str:
    """The name of the later seen of two devices whose names came out equal: with digits of the kernel name's hash."""
    digits = hashlib.sha256(kernel_name.encode("utf-8", "surrogateescape")).hexdigest()[:4]
    return f"{name}__{digits}"


def assign_names(
    subjects: list[tuple[str, str, str]], known: Mapping[str, str], present: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Unique names for devices given as (sysfs path, subsystem, kernel name), in the order in which they were seen.

    `known` maps sysfs paths to the names they have already, which they keep while the kernel name still gives them.
    `present` are path and name of other devices of the host, which keep theirs too.
    """
    names: dict[str, str] = {}
    taken = set((present or {}).values())
    plain = {path: device_name(subsystem, kernel_name) for path, subsystem, kernel_name in subjects}
    for path, _, kernel_name in subjects:
        former = known.get(path)
        if former in (plain[path], told_apart(plain[path], kernel_name)) and former not in taken:
            names[path] = former
            taken.add(former)
    for path, _, kernel_name in subjects:
        if path not in names:
            name = plain[path] if plain[path] not in taken else told_apart(plain[path], kernel_name)
            names[path] = name
            taken.add(name)
    return names
